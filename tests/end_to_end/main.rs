//! End-to-end tests: HTTP requests to the system that `localstack/up` deploys from template.yaml.
//!
//! `tests/e2e [FILTER]` runs them against an instance that stays between runs; `SOUK_INSTANCE` names the instance.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod alerts;
mod any_version;
mod aws_faults;
mod backend;
mod cache;
mod catalog;
mod concerts;
mod deletion;
mod event_matrix;
mod event_summary;
mod events;
mod experiment_prices;
mod experiment_results;
mod experiment_totals;
mod experiments;
mod flash_sales;
mod identity;
mod limits;
mod logs;
mod openapi;
mod order_races;
mod order_saga;
mod orders;
mod own_instance;
mod payment_webhook;
mod ratings;
mod requests;
mod reviews;
mod saga;
mod sessions;
mod souk;
mod stock;
mod tokens;
mod user_delete;
mod watch;
