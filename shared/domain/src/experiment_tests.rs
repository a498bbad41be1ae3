//! Which experiments are valid, and how they change.

#![cfg(test)]

use super::*;
use crate::{
    experiment_products::ExperimentWrites,
    id::{Id, ProductId, SessionId},
    input::Input,
    product::{NewProduct, Product},
};
use serde_json::json;
use std::collections::HashMap;

#[path = "experiment_schedule_tests.rs"]
mod schedule;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_milliseconds(seconds * 1000)
}

fn caller(byte: u8) -> Caller {
    Caller { user_id: UserId::new(at(0), [byte; 10]), session_id: SessionId::new(at(0), [0; 10]) }
}

fn product_id(byte: u8) -> ProductId {
    ProductId::new(at(0), [byte; 10])
}

fn product(byte: u8) -> Product {
    let draft = json!({"name": "Tea", "description": "", "category": "tea", "stock": 3,
        "price": {"amount": 1999, "currency": "SGD"}});
    Product::publish(product_id(byte), &caller(1), NewProduct::from_json(draft).unwrap().draft, at(0))
}

fn known(products: impl IntoIterator<Item = Product>) -> HashMap<ProductId, Product> {
    products.into_iter().map(|product| (product.product_id, product)).collect()
}

fn price(byte: u8, amount: i64) -> Value {
    json!({"productId": product_id(byte), "price": {"amount": amount, "currency": "SGD"}})
}

fn body() -> Value {
    json!({"name": "Tea at 17.99", "metrics": {"primary": "revenuePerVisitor", "guardrails": ["conversion"]},
    "variants": [
        {"key": "control", "weight": 5000},
        {"key": "low", "weight": 5000, "prices": [price(1, 1799), price(2, 1799)]},
    ]})
}

fn with(patch: Value) -> Value {
    let mut body = body();
    crate::input::merge(&mut body, patch);
    body
}

fn faults<T>(read: Result<T, Error>) -> Vec<(String, String)> {
    let Err(Error::Invalid(faults)) = read else { return Vec::new() };
    let pair = |fault: Fault| {
        let StartFault { pointer, detail } = fault.into();
        (pointer, detail)
    };
    faults.into_iter().map(pair).collect()
}

fn pointers<T>(read: Result<T, Error>) -> Vec<String> {
    faults(read).into_iter().map(|(pointer, _)| pointer).collect()
}

fn draft() -> Experiment {
    drafted(body())
}

fn drafted(body: Value) -> Experiment {
    let draft = ExperimentDraft::from_json(body).unwrap();
    Experiment::new(ExperimentId::new(at(0), [9; 10]), &caller(1), draft, at(0))
}

fn change(experiment: &Experiment, patch: Value, now: u64) -> Result<ExperimentChange, Error> {
    experiment.change(&caller(1), MergePatch::from_json(patch).unwrap(), &Seen::Any, at(now))
}

fn written(
    experiment: &Experiment,
    patch: Value,
    products: impl IntoIterator<Item = Product>,
    now: u64,
) -> Result<ExperimentWrites, Error> {
    change(experiment, patch, now)?.writes(&known(products), at(now))
}

/// The experiment and its two products after a start at this time.
fn running(now: u64) -> (Experiment, Vec<Product>) {
    let writes = written(&draft(), json!({"status": "running"}), [product(1), product(2)], now).unwrap();
    (writes.experiment, writes.products)
}

#[test]
fn a_draft_has_defaults_and_is_written_as_it_was_read() {
    let draft = draft().draft;
    assert_eq!((draft.coverage, draft.hash_version), (Share::ALL, crate::assignment::HashVersion::V2));
    let mut written = serde_json::to_value(&draft).unwrap();
    assert_eq!(ExperimentDraft::from_json(written.take()), Ok(draft));
    let whole = with(json!({"hypothesis": "More.", "coverage": 1, "hashVersion": 1, "seed": "s",
        "namespace": {"name": "n", "from": 0, "to": 5000}, "startsAt": "2026-01-01T00:00:00Z",
        "stopsAt": "2026-02-01T00:00:00Z", "rampUp": [{"afterHours": 1, "coverage": 2}]}));
    let read = ExperimentDraft::from_json(whole).unwrap();
    assert_eq!(ExperimentDraft::from_json(serde_json::to_value(&read).unwrap()), Ok(read));
    assert_eq!(ExperimentDraft::from_json(with(json!({"seed": ""}))).unwrap().seed, None);
}

#[test]
fn every_fault_of_a_draft_is_named() {
    let body = json!({"name": "", "coverage": 0, "hashVersion": 3, "seed": 7, "colour": 1,
        "metrics": {"primary": "profit", "secondary": ["conversion", "conversion"]},
        "namespace": {"name": "n", "from": 5, "to": 5},
        "rampUp": [{"afterHours": 2, "coverage": 20}, {"afterHours": 2, "coverage": 20}],
        "variants": [{"key": "a b", "weight": 0}, {"key": "b", "weight": 10001, "prices": [{}]}]});
    let expected = [
        "/name",
        "/variants/0/key",
        "/variants/0/weight",
        "/variants/1/weight",
        "/variants/1/prices/0/productId",
        "/variants/1/prices/0/price",
        "/coverage",
        "/namespace/to",
        "/hashVersion",
        "/seed",
        "/metrics/primary",
        "/metrics/secondary/1",
        "/rampUp/1/afterHours",
        "/rampUp/1/coverage",
        "/colour",
    ];
    assert_eq!(pointers(ExperimentDraft::from_json(body)), expected);
}

#[test]
fn every_fault_between_variants_is_named() {
    let yen = json!({"productId": product_id(2), "price": {"amount": 5, "currency": "JPY"}});
    let body = with(json!({"variants": [
        {"key": "a", "weight": 5000, "prices": [price(1, 5)]},
        {"key": "a", "weight": 4000, "prices": [price(1, 5), price(1, 6)]},
    ]}));
    assert_eq!(pointers(ExperimentDraft::from_json(body)), ["/variants/1/prices/1/productId"]);
    let body = with(json!({"variants": [
        {"key": "a", "weight": 5000, "prices": [price(1, 5)]},
        {"key": "a", "weight": 4000, "prices": [price(1, 5), yen]},
    ]}));
    let expected = ["/variants/1/key", "/variants", "/variants/0/prices", "/variants/1/prices/1/price"];
    assert_eq!(pointers(ExperimentDraft::from_json(body)), expected);
    let empty = with(json!({"variants": [{"key": "a", "weight": 5000}, {"key": "b", "weight": 5000}]}));
    assert_eq!(pointers(ExperimentDraft::from_json(empty)), ["/variants"]);
    let one = with(json!({"variants": [{"key": "a", "weight": 10000, "prices": []}]}));
    assert_eq!(pointers(ExperimentDraft::from_json(one)), ["/variants"]);
}

#[test]
fn an_experiment_has_50_products_at_most() {
    let prices = |from: u8, count: u8| (from..from + count).map(|byte| price(byte, 5)).collect::<Vec<_>>();
    let of = |first: Vec<Value>, second: Vec<Value>| {
        ExperimentDraft::from_json(with(json!({"variants": [{"key": "a", "weight": 3000},
            {"key": "b", "weight": 3000, "prices": first}, {"key": "c", "weight": 4000, "prices": second}]})))
    };
    assert_eq!(of(prices(0, 50), prices(0, 50)).unwrap().products().len(), 50);
    assert_eq!(
        faults(of(prices(0, 50), prices(50, 1)))[0].1,
        "must have prices of 1 to 50 products, and not of 51"
    );
}

#[test]
fn keys_that_do_not_fit_into_an_overlay_are_refused_with_their_surplus() {
    let variants = |key: &str| {
        let of = |number: usize| match number {
            0 => json!({"key": "control", "weight": 1000}),
            _ => json!({"key": format!("{key}{number}"), "weight": 1000, "prices": [price(1, 5)]}),
        };
        with(json!({"variants": (0..10).map(of).collect::<Vec<_>>()}))
    };
    assert!(ExperimentDraft::from_json(variants("price")).is_ok());
    let refused = faults(ExperimentDraft::from_json(variants("price-point-")));
    let detail =
        "have keys that are too long: the keys, seed and name of the namespace must be 61 bytes shorter";
    assert_eq!(refused, [("/variants".to_owned(), detail.to_owned())]);
}

#[test]
fn an_overlay_of_160_bytes_fits() {
    let with_seed = |seed: &str| {
        with(json!({"seed": seed, "namespace": {"name": "n".repeat(40), "from": 0, "to": 5000}, "variants": [
            {"key": "a".repeat(32), "weight": 5000},
            {"key": "b".repeat(32), "weight": 5000, "prices": [price(1, 5)]},
        ]}))
    };
    let longest = drafted(with_seed(&"s".repeat(19)));
    assert_eq!(longest.draft.overlay(longest.experiment_id, product_id(1)).encode().len(), 160);
    assert_eq!(pointers(ExperimentDraft::from_json(with_seed(&"s".repeat(20)))), ["/variants"]);
}

#[test]
fn keys_and_steps_have_bounds() {
    let key = |key: &str| with(json!({"variants": [{"key": key, "weight": 5000}, body()["variants"][1]]}));
    let step = |hours: i64| with(json!({"rampUp": [{"afterHours": hours, "coverage": 1}]}));
    let is_valid = |body: Value| ExperimentDraft::from_json(body).is_ok();
    assert!(is_valid(key(&"k".repeat(32))) && is_valid(step(2160)));
    for body in [key(&"k".repeat(33)), key("")] {
        assert_eq!(pointers(ExperimentDraft::from_json(body)), ["/variants/0/key"]);
    }
    assert_eq!(pointers(ExperimentDraft::from_json(step(2161))), ["/rampUp/0/afterHours"]);
}

#[test]
fn times_of_an_experiment_are_in_order() {
    let times = |stops_at: &str| with(json!({"startsAt": "2026-01-02T00:00:00Z", "stopsAt": stops_at}));
    assert_eq!(pointers(ExperimentDraft::from_json(times("2026-01-02T00:00:00Z"))), ["/stopsAt"]);
    assert!(ExperimentDraft::from_json(times("2026-01-02T00:00:01Z")).is_ok());
}

#[test]
fn an_experiment_of_somebody_else_does_not_exist() {
    let patch = MergePatch::from_json(json!({})).unwrap();
    let refused = draft().change(&caller(2), patch, &Seen::Any, at(1));
    assert_eq!(refused, Err(Error::NotFound { what: "experiment" }));
}

#[test]
fn a_draft_may_change_in_everything() {
    let patch = json!({"name": "Other", "coverage": 500, "variants": [{"key": "x", "weight": 1},
        {"key": "y", "weight": 9999, "prices": [price(1, 5)]}]});
    let changed = change(&draft(), patch, 5).unwrap();
    assert_eq!((changed.effect, changed.experiment.version), (ExperimentEffect::Check, 2));
    assert_eq!(changed.experiment.draft.coverage.get(), 500);
    let stale = draft().change(
        &caller(1),
        MergePatch::from_json(json!({"name": "Other"})).unwrap(),
        &Seen::Versions(vec![7]),
        at(5),
    );
    assert_eq!(stale, Err(Error::Stale { current: 1 }));
}

#[test]
fn a_change_of_nothing_is_no_new_version() {
    let (running, _) = running(10);
    for (experiment, patch) in [
        (draft(), json!({})),
        (draft(), json!({"status": "draft", "name": "Tea at 17.99"})),
        (running.clone(), json!({"status": "running", "coverage": 10000})),
    ] {
        let same = ExperimentChange { experiment: experiment.clone(), effect: ExperimentEffect::Nothing };
        assert_eq!(change(&experiment, patch, 20), Ok(same));
    }
}

#[test]
fn a_start_gives_each_product_the_overlay_and_records_its_price() {
    let (experiment, products) = running(10);
    assert_eq!((experiment.status, experiment.version), (ExperimentStatus::Running, 2));
    assert_eq!(experiment.started_at, Some(at(10)));
    let prices: Vec<_> = experiment.control_prices.iter().map(|price| price.price.amount).collect();
    assert_eq!(prices, [1999, 1999]);
    for (product, byte) in products.iter().zip([1, 2]) {
        assert_eq!((product.version, product.updated_at), (2, at(0)));
        let overlay = experiment.draft.overlay(experiment.experiment_id, product_id(byte));
        assert_eq!(product.pricing.overlay.as_ref(), Some(&overlay));
        assert_eq!(overlay.variants[1].price, Some(1799));
        assert_eq!(product.pricing.promises.len(), 1);
    }
}

#[test]
fn a_start_names_every_product_that_cannot_be_tested() {
    let (_, others) = running(5);
    let mut experiment = draft();
    experiment.experiment_id = ExperimentId::new(at(1), [8; 10]);
    let start = |products: Vec<Product>| written(&experiment, json!({"status": "running"}), products, 10);
    let at_product = |position: u8| format!("/variants/1/prices/{position}/productId");
    let overlapping = faults(start(others.clone()));
    let detail = format!("is in the running experiment {}", draft().experiment_id);
    assert_eq!(overlapping, [0, 1].map(|position| (at_product(position), detail.clone())));

    let foreign = Product { seller_id: caller(2).user_id, ..product(1) };
    assert_eq!(pointers(start(vec![foreign])), [0, 1].map(at_product));
    let mut in_yen = product(2);
    in_yen.draft.price.currency = "JPY".parse().unwrap();
    assert_eq!(pointers(start(vec![product(1), in_yen])), ["/variants/1/prices/1/price"]);
}

#[test]
fn a_product_in_two_variants_is_named_once() {
    let variant = |key: &str| json!({"key": key, "weight": 3000, "prices": [price(1, 5), price(2, 5)]});
    let variants = [json!({"key": "control", "weight": 4000}), variant("low"), variant("lower")];
    let mut experiment = drafted(with(json!({"variants": variants})));
    experiment.experiment_id = ExperimentId::new(at(1), [8; 10]);
    let start = |products: Vec<Product>| experiment.check_products(&known(products), Some(at(10)));
    assert_eq!(pointers(start(vec![product(1)])), ["/variants/1/prices/1/productId"]);
    let overlapping = ["/variants/1/prices/0/productId", "/variants/1/prices/1/productId"];
    assert_eq!(pointers(start(running(5).1)), overlapping);
}

#[test]
fn a_start_waits_for_products_that_were_tested_too_often_but_not_for_its_own_overlays() {
    let start = |products, now| draft().check_products(&known(products), Some(at(now)));
    assert_eq!(start(running(5).1, 10), Ok(()));
    let mut tested = product(2);
    for _ in 0..3 {
        tested.pricing = tested.pricing.replaced(None, tested.draft.price, at(0));
    }
    let detail =
        "was in experiments too often of late: it may be in another one from 1970-01-01T00:30:00.000Z on";
    let expected = ("/variants/1/prices/1/productId".to_owned(), detail.to_owned());
    assert_eq!(faults(start(vec![product(1), tested.clone()], 1799)), [expected]);
    assert_eq!(start(vec![product(1), tested], 1800), Ok(()));
}

#[test]
fn a_draft_names_products_of_others_but_may_overlap() {
    let (_, overlaid) = running(5);
    let checked = |products: Vec<Product>| draft().check_products(&known(products), None);
    assert_eq!(checked(overlaid), Ok(()));
    assert_eq!(pointers(checked(vec![product(2)])), ["/variants/1/prices/0/productId"]);
}

#[test]
fn while_it_runs_only_coverage_rises_and_the_end_moves() {
    let (mut experiment, _) = running(10);
    experiment.draft.coverage = Share::new(500).unwrap();
    let refused = json!({"coverage": 400, "name": "x", "hypothesis": "y", "seed": "z",
        "metrics": {"primary": "conversion"}, "startsAt": "2026-01-01T00:00:00Z"});
    let expected = ["/metrics", "/name", "/hypothesis", "/seed", "/startsAt", "/coverage"];
    assert_eq!(pointers(change(&experiment, refused, 20)), expected);
    let moved = change(&experiment, json!({"stopsAt": "2026-01-01T00:00:00Z"}), 20).unwrap();
    assert_eq!(moved.effect, ExperimentEffect::None);
    assert_eq!(pointers(change(&experiment, json!({"stopsAt": "1970-01-01T00:00:20Z"}), 20)), ["/stopsAt"]);
}

#[test]
fn an_end_that_has_passed_refuses_a_start_and_no_rise() {
    let mut late = draft();
    late.draft.stops_at = Some(at(20));
    assert_eq!(pointers(change(&late, json!({"status": "running"}), 20)), ["/stopsAt"]);
    let (mut experiment, _) = running(10);
    (experiment.draft.stops_at, experiment.draft.coverage) = (Some(at(20)), Share::new(500).unwrap());
    assert_eq!(change(&experiment, json!({"coverage": 600}), 30).unwrap().effect, ExperimentEffect::Rise);
}

#[test]
fn a_rise_of_coverage_gives_each_product_another_overlay() {
    let (mut experiment, products) = running(10);
    experiment.draft.coverage = Share::new(500).unwrap();
    let writes = written(&experiment, json!({"coverage": 600}), products, 20).unwrap();
    for product in &writes.products {
        assert_eq!(product.pricing.overlay.as_ref().unwrap().coverage.get(), 600);
        assert_eq!((product.version, product.pricing.promises.len()), (3, 2));
    }
    let mut next = (writes.experiment, writes.products);
    let raise = |(experiment, products): &(Experiment, Vec<Product>), coverage| {
        written(experiment, json!({"coverage": coverage}), products.clone(), 20)
    };
    let third = raise(&next, 700).unwrap();
    next = (third.experiment, third.products);
    let detail = "rose too often of late: it may rise again from 1970-01-01T00:30:10.000Z on";
    assert_eq!(faults(raise(&next, 800)), [("/coverage".to_owned(), detail.to_owned())]);
}

#[test]
fn states_follow_each_other_in_one_direction() {
    let (experiment, products) = running(10);
    assert_eq!(pointers(change(&draft(), json!({"status": "stopped"}), 20)), ["/status"]);
    assert_eq!(pointers(change(&experiment, json!({"status": "draft"}), 20)), ["/status"]);
    assert_eq!(pointers(change(&experiment, json!({"status": "paused"}), 20)), ["/status"]);
    let stopped = written(&experiment, json!({"status": "stopped"}), products, 20).unwrap().experiment;
    assert_eq!((stopped.stopped_at, stopped.stopped_by), (Some(at(20)), Some(StoppedBy::Seller)));
    for patch in [json!({"status": "running"}), json!({"name": "x"}), json!({"coverage": 10})] {
        assert!(matches!(change(&stopped, patch, 30), Err(Error::Conflict { .. })));
    }
    assert_eq!(change(&stopped, json!({"status": "stopped"}), 30).unwrap().effect, ExperimentEffect::Nothing);
}

#[test]
fn a_stop_removes_the_overlay_and_gives_the_winners_prices() {
    let (experiment, products) = running(10);
    let stop = |patch: Value| written(&experiment, patch, products.clone(), 20).unwrap();
    let plain = stop(json!({"status": "stopped"}));
    let control = stop(json!({"status": "stopped", "winner": "control"}));
    for writes in [&plain, &control] {
        for product in &writes.products {
            assert_eq!((product.draft.price.amount, product.version, product.updated_at), (1999, 3, at(0)));
            assert_eq!((product.pricing.overlay.is_none(), product.pricing.promises.len()), (true, 2));
        }
    }
    let low = stop(json!({"status": "stopped", "winner": "low"}));
    assert_eq!(low.experiment.winner.as_deref(), Some("low"));
    let again = change(&low.experiment, json!({"status": "stopped", "winner": "low"}), 30).unwrap();
    assert_eq!(again.effect, ExperimentEffect::Nothing);
    for product in &low.products {
        assert_eq!((product.draft.price.amount, product.version, product.updated_at), (1799, 3, at(20)));
        assert_eq!(product.pricing.promises[1].price.amount, 1999);
    }
}

#[test]
fn a_winner_is_a_variant_of_an_experiment_that_is_being_stopped() {
    let (experiment, _) = running(10);
    for (experiment, patch) in [
        (&draft(), json!({"winner": "low"})),
        (&experiment, json!({"winner": "low"})),
        (&experiment, json!({"status": "stopped", "winner": "none"})),
        (&experiment, json!({"status": "stopped", "winner": 5})),
    ] {
        assert_eq!(pointers(change(experiment, patch.clone(), 20)), ["/winner"], "{patch}");
    }
    assert_eq!(change(&draft(), json!({"winner": null}), 20).unwrap().effect, ExperimentEffect::Nothing);
}

#[test]
fn a_fault_hides_no_other() {
    let (experiment, _) = running(10);
    for (experiment, patch, expected) in [
        (&draft(), json!({"variants": 5, "winner": "zz"}), vec!["/variants", "/winner"]),
        (
            &experiment,
            json!({"variants": 5, "status": "stopped", "winner": "zz"}),
            vec!["/variants", "/winner"],
        ),
        (&draft(), json!({"coverage": 0, "status": "stopped"}), vec!["/coverage", "/status"]),
        (
            &experiment,
            json!({"status": "x", "winner": "zz", "seed": "s"}),
            vec!["/status", "/winner", "/seed"],
        ),
        (&experiment, json!({"status": "x", "winner": "low"}), vec!["/status"]),
    ] {
        assert_eq!(pointers(change(experiment, patch.clone(), 20)), expected, "{patch}");
    }
}

#[test]
fn a_product_that_was_deleted_meanwhile_is_passed_over() {
    let (experiment, mut products) = running(10);
    products.pop();
    let writes = written(&experiment, json!({"status": "stopped"}), products, 20).unwrap();
    assert_eq!(writes.products.len(), 1);
}

#[test]
fn the_price_of_a_product_does_not_change_while_it_is_tested() {
    let (_, products) = running(10);
    let patched = |patch: Value| {
        products[0].change(&caller(1), MergePatch::from_json(patch).unwrap(), &Seen::Any, at(20))
    };
    assert!(matches!(patched(json!({"price": {"amount": 5}})), Err(Error::Conflict { .. })));
    let (renamed, _) = patched(json!({"name": "Green tea"})).unwrap();
    assert_eq!(renamed.pricing, products[0].pricing);
}

#[test]
fn an_experiment_round_trips_through_json() {
    let (experiment, _) = running(10);
    let written = serde_json::to_value(&experiment).unwrap();
    assert_eq!(written["controlPrices"][0]["price"]["amount"], 1999);
    assert_eq!(serde_json::from_value::<Experiment>(written).unwrap(), experiment);
}
