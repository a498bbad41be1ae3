//! The variants that the server assigns to sample visitors. `tests/clients/growthbook` compares those of GrowthBook's own
//! client with them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use domain::{
    Input,
    experiment_draft::ExperimentDraft,
    id::{ExperimentId, Id, ProductId, VisitorUuid},
};
use serde_json::{Value, json};
use std::{env, fs};
use tests::{project, samples::now};

const FILE: &str = "tests/clients/growthbook/assignments.json";

/// How many visitors each experiment has.
const VISITORS: u8 = 200;

/// The members of experiments, without their products. The seeds do not depend on ids.
fn experiments() -> Vec<Value> {
    let halves = json!([5000, 5000]);
    vec![
        json!({"weights": halves, "hashVersion": 2, "seed": "halves"}),
        json!({"weights": halves, "hashVersion": 1, "seed": "before"}),
        json!({"weights": [2000, 3333, 4667], "coverage": 4321, "seed": "tea \u{1f375}"}),
        json!({"weights": [1000, 2000, 3000, 4000], "seed": "part", "namespace": {"name": "n", "from": 2500, "to": 7777}}),
    ]
}

/// The body of an experiment that tests this product, for the members above.
fn body(members: &Value, product: ProductId) -> Value {
    let mut body = members.clone();
    let weights = body.as_object_mut().unwrap().remove("weights").unwrap();
    let variant = |(index, weight): (usize, &Value)| match index {
        0 => json!({"key": "control", "weight": weight}),
        _ => json!({"key": format!("v{index}"), "weight": weight, "prices": [
            {"productId": product, "price": {"amount": 1000 + index, "currency": "SGD"}}]}),
    };
    body["variants"] = weights.as_array().unwrap().iter().enumerate().map(variant).collect();
    body["name"] = "Assignments".into();
    body["metrics"] = json!({"primary": "conversion"});
    body
}

fn assignments() -> Value {
    let product = ProductId::new(now(), [1; 10]);
    let visitors: Vec<VisitorUuid> = (0..VISITORS).map(|byte| VisitorUuid::new(now(), [byte; 10])).collect();
    let assigned = |members: &Value| {
        let draft = ExperimentDraft::from_json(body(members, product)).unwrap();
        let overlay = draft.overlay(ExperimentId::new(now(), [2; 10]), product);
        let variants: Vec<_> =
            visitors.iter().map(|visitor| overlay.variant(*visitor).map(|variant| &variant.key)).collect();
        json!({"experiment": members, "variants": variants})
    };
    json!({"visitors": visitors, "experiments": experiments().iter().map(assigned).collect::<Vec<_>>()})
}

#[test]
fn the_variants_that_growthbooks_client_has_to_assign_are_those_of_the_server() {
    let wanted = format!("{}\n", serde_json::to_string(&assignments()).unwrap());
    if env::var("BLESS").is_ok_and(|bless| bless == "1") {
        fs::write(project::root().join(FILE), wanted).unwrap();
    } else {
        assert!(project::read(FILE) == wanted, "{FILE} is out of date; a run with BLESS=1 writes it");
    }
}

#[test]
fn the_sample_has_visitors_in_every_variant_and_some_in_none() {
    let assignments = assignments();
    for (experiment, outside) in assignments["experiments"].as_array().unwrap().iter().zip([0, 0, 50, 50]) {
        let variants = experiment["variants"].as_array().unwrap();
        let count = |wanted: &Value| variants.iter().filter(|variant| *variant == wanted).count();
        assert!(count(&Value::Null) >= outside, "{experiment}");
        let keys = experiment["experiment"]["weights"].as_array().unwrap().len();
        for key in
            (0..keys).map(|index| if index == 0 { json!("control") } else { json!(format!("v{index}")) })
        {
            assert!(count(&key) >= 5, "{key} {experiment}");
        }
    }
}
