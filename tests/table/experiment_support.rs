//! Sample experiments, and the functions that change them.

use crate::application::context_from;
use app::Context;
use domain::{
    Input, Timestamp,
    experiment::{Experiment, ExperimentChange, ExperimentEffect},
    experiment_draft::ExperimentDraft,
    experiment_products::ExperimentWrites,
    id::{ExperimentId, Id},
    input::MergePatch,
    product::Product,
    version::Seen,
};
use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use std::collections::HashMap;
use tests::{
    World,
    samples::{caller, later, now, product, product_id},
};
use web::{Problem, Request, Response, token::Verified};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/experiment-update/src/main.rs"]
pub mod update;

/// The seller of all sample products and experiments.
pub const SELLER: u32 = 7;

pub const SETTINGS: &[(&str, &str)] =
    &[("LIMIT_WINDOW_SECONDS", "900"), ("LIMIT_EXPERIMENTS", "1000"), ("RESULTS_REST_SECONDS", "60")];

/// The body of an experiment that tests products from `first` on.
pub fn body(first: u32, count: u32) -> Value {
    let price =
        |number| json!({"productId": product_id(number), "price": {"amount": 590, "currency": "SGD"}});
    json!({"name": "Lower", "metrics": {"primary": "revenuePerVisitor"}, "coverage": 5000, "variants": [
        {"key": "control", "weight": 5000},
        {"key": "low", "weight": 5000, "prices": (first..first + count).map(price).collect::<Vec<_>>()},
    ]})
}

pub fn experiment_id(number: u8) -> ExperimentId {
    ExperimentId::new(later(number.into()), [number; 10])
}

/// A draft that tests products from `first` on.
pub fn draft(number: u8, first: u32, count: u32) -> Experiment {
    let draft = ExperimentDraft::from_json(body(first, count)).unwrap();
    Experiment::new(experiment_id(number), &caller(SELLER), draft, later(number.into()))
}

/// A world with products 1 to `products`, and a draft that tests them.
pub async fn world_with(products: u32) -> (World, Experiment) {
    let world = World::new();
    for number in 1..=products {
        world.publish(&product(number, SELLER)).await;
    }
    let draft = draft(1, 1, products);
    world.table.create_experiment(&draft, None).await.unwrap();
    world.measured();
    (world, draft)
}

pub fn changed(experiment: &Experiment, patch: Value, at: Timestamp) -> ExperimentChange {
    experiment.change(&caller(SELLER), MergePatch::from_json(patch).unwrap(), &Seen::Any, at).unwrap()
}

/// The products of an experiment as they are stored.
pub async fn products(world: &World, experiment: &Experiment) -> HashMap<domain::id::ProductId, Product> {
    let ids: Vec<_> = experiment.draft.products().into_iter().collect();
    world.table.products(&ids).await.unwrap()
}

/// What a change writes, and its effect.
pub async fn prepared(
    world: &World,
    change: ExperimentChange,
    at: Timestamp,
) -> (ExperimentWrites, ExperimentEffect) {
    let effect = change.effect;
    let products = products(world, &change.experiment).await;
    (change.writes(&products, at).unwrap(), effect)
}

pub fn context_of(world: &World, at: Timestamp, random: u8) -> Context {
    context_from(world, SETTINGS, at, random)
}

/// The answer to a PATCH of an experiment, with this `If-Match`.
pub async fn patch(
    world: &World,
    number: u8,
    seen: &str,
    body: &Value,
    random: u8,
) -> Result<Response, Problem> {
    let app = update::App::new(context_of(world, now(), random)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/merge-patch+json".parse().unwrap());
    headers.insert(header::IF_MATCH, seen.parse().unwrap());
    let id = experiment_id(number).to_string();
    let request = Request {
        method: Method::PATCH,
        path: format!("/experiments/{id}"),
        path_parameters: HashMap::from([("experimentId".to_owned(), id)]),
        query: String::new(),
        headers,
        body: body.to_string().into_bytes(),
        source: "192.0.2.1".to_owned(),
        id: "r".to_owned(),
        received_at: now(),
        verified: Some(Verified { caller: caller(SELLER), visitor: None, expires_at: u64::MAX }),
    };
    Box::pin(update::update_experiment(&app, request)).await
}
