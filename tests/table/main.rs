//! The table tier: every access pattern of `shared/table` on an in-process engine. The files mirror its areas.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod account_delete;
mod account_password;
mod account_support;
mod alert;
mod alert_send;
mod alert_support;
mod alert_webhook;
mod application;
mod audit;
mod authorizer;
mod authors_review;
mod band_venue;
mod category;
mod concert;
mod concert_growth;
mod concert_races;
mod concert_search;
mod concert_support;
mod concert_sweep;
mod concert_undo;
mod event_batch;
mod experiment;
mod experiment_count;
mod experiment_races;
mod experiment_schedule;
mod experiment_support;
mod failures;
mod feature;
mod flash_sale;
mod flash_sale_crawl;
mod geo;
mod histories;
mod idempotency;
mod limit;
mod log_in;
mod mail_token;
mod notification;
mod order;
mod order_costs;
mod order_epochs;
mod order_experiment;
mod order_list;
mod order_model;
mod order_races;
mod order_refunds;
mod order_stock;
mod order_support;
mod order_sweep;
mod order_undo;
mod payment_poll;
mod payment_webhook;
mod price_crawl;
mod prime;
mod probe;
mod product;
mod product_delete;
mod product_list;
mod product_page;
mod product_sweep;
mod provider;
mod published;
mod purchase;
mod races;
mod rating;
mod review;
mod review_list;
mod review_once;
mod sale_source;
mod session;
mod shop;
mod signing;
mod stock;
mod tokens;
mod user;
mod watch;
mod watch_growth;
mod webhook_host;

use domain::Error;
use std::sync::Arc;
use tests::{Fault, World};
use tokio::sync::Barrier;

/// Whether the same request may succeed later.
fn is_unavailable<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unavailable { .. }))
}

/// Runs the work this number of times concurrently, each in its own task.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    world: &Arc<World>,
    count: u32,
    work: impl Fn(Arc<World>, u32) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(work(Arc::clone(world), number))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Delays the next requests of an operation until this number has arrived.
fn hold(world: &World, operation: &'static str, count: usize) {
    let barrier = Arc::new(Barrier::new(count));
    world.wire.next(operation, vec![Fault::Held(barrier); count]);
}
