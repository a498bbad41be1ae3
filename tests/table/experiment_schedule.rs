//! The schedule of experiments: what starts, rises and stops by itself, also while ClickHouse does not answer.

use crate::{
    experiment_support::{SELLER, context_of, draft, experiment_id, patch, world_with},
    is_unavailable,
};
use domain::{
    Error, Timestamp,
    experiment::{Experiment, ExperimentStatus, StoppedBy},
    experiment_count::CountTime,
};
use serde_json::json;
use statistics::ExperimentTotals;
use std::collections::BTreeSet;
use table::{StoredCount, Writer};
use tests::{
    Fault, World,
    samples::{later, now, product, product_id, withdrawal},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/experiment-schedule/src/main.rs"]
mod schedule;

async fn look(world: &World, at: Timestamp, random: u8) -> Result<schedule::Looked, Error> {
    let app = schedule::App::new(context_of(world, at, random)).unwrap();
    schedule::look(&app, serde_json::from_value(json!({})).unwrap()).await
}

/// There is no ClickHouse in these tests, so nothing is counted.
fn looked(found: usize, changed: usize, refused: usize) -> schedule::Looked {
    schedule::Looked { found, changed, refused, ..schedule::Looked::default() }
}

#[tokio::test]
async fn an_experiment_starts_rises_and_stops_by_the_schedule() {
    let (world, draft) = world_with(1).await;
    let hour = 3600;
    let times = json!({"startsAt": later(100), "stopsAt": later(3 * hour),
        "rampUp": [{"afterHours": 1, "coverage": 10000}]});
    patch(&world, 1, "*", &times, 20).await.unwrap();
    assert_eq!(look(&world, later(99), 21).await, Ok(looked(0, 0, 0)));
    assert_eq!(look(&world, later(100), 22).await, Ok(looked(1, 1, 0)));
    assert_eq!(look(&world, later(101), 23).await, Ok(looked(1, 0, 0)));
    assert_eq!(look(&world, later(100 + hour), 24).await, Ok(looked(1, 1, 0)));
    let read = async || world.table.experiment(draft.experiment_id).await.unwrap();
    assert_eq!((read().await.status, read().await.draft.coverage.get()), (ExperimentStatus::Running, 10_000));
    let due = world.table.due_experiments(later(3 * hour), None);
    let (found, next) = world.measure("due_experiments", "one", due).await.unwrap();
    assert_eq!((found.len(), next), (1, None));
    assert_eq!(look(&world, later(3 * hour), 25).await, Ok(looked(1, 1, 0)));
    let stopped = read().await;
    assert_eq!((stopped.stopped_by, stopped.due_at()), (Some(StoppedBy::Schedule), None));
    let due = world.table.due_experiments(later(9 * hour), None);
    assert_eq!(world.measure("due_experiments", "none", due).await, Ok((vec![], None)));
    let since = world.table.experiments_stopped_since(now(), later(9 * hour), None);
    assert_eq!(world.measure("experiments_stopped_since", "one", since).await, Ok((vec![stopped], None)));
    let later_ones = world.table.experiments_stopped_since(later(3 * hour + 1), later(9 * hour), None).await;
    assert_eq!(later_ones, Ok((vec![], None)));
}

#[tokio::test]
async fn a_start_that_fails_by_the_schedule_says_why_and_waits_for_a_change() {
    let (world, draft) = world_with(1).await;
    patch(&world, 1, "*", &json!({"startsAt": later(100)}), 20).await.unwrap();
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    assert_eq!(look(&world, later(100), 21).await, Ok(looked(1, 0, 1)));
    let refused = world.table.experiment(draft.experiment_id).await.unwrap();
    assert_eq!(refused.start_faults[0].pointer, "/variants/1/prices/0/productId");
    assert_eq!(look(&world, later(200), 22).await, Ok(looked(0, 0, 0)));
}

#[tokio::test]
async fn an_experiment_that_cannot_be_looked_at_keeps_the_others_from_nothing() {
    let (world, _) = world_with(2).await;
    let (one, other) = (draft(2, 1, 1), draft(3, 2, 1));
    for (number, experiment) in [(2, &one), (3, &other)] {
        world.table.create_experiment(experiment, None).await.unwrap();
        patch(&world, number, "*", &json!({"startsAt": later(100)}), 20 + number).await.unwrap();
    }
    world.wire.next("TransactWriteItems", [Fault::Refused("ValidationException")]);
    let failed = look(&world, later(100), 30).await;
    assert!(failed.is_err() && !is_unavailable(&failed), "{failed:?}");
    let status = async |experiment: &Experiment| {
        world.table.experiment(experiment.experiment_id).await.unwrap().status
    };
    assert_eq!(status(&one).await, ExperimentStatus::Draft);
    assert_eq!(status(&other).await, ExperimentStatus::Running);
}

async fn stored(world: &World, number: u8) -> Experiment {
    world.table.experiment(experiment_id(number)).await.unwrap()
}

/// Twenty running experiments of the seller, of one product each, and a draft of product 21.
async fn twenty_running() -> World {
    let world = World::new();
    for number in 1..=21 {
        world.publish(&product(number.into(), SELLER)).await;
        world.table.create_experiment(&draft(number, number.into(), 1), None).await.unwrap();
        if number <= 20 {
            patch(&world, number, "*", &json!({"status": "running"}), 20 + number).await.unwrap();
        }
    }
    world
}

#[tokio::test]
async fn a_start_beyond_20_running_experiments_says_why_and_hides_no_error() {
    let world = twenty_running().await;
    patch(&world, 21, "*", &json!({"startsAt": later(100)}), 50).await.unwrap();
    assert_eq!(look(&world, later(100), 51).await, Ok(looked(21, 0, 1)));
    let refused = stored(&world, 21).await;
    assert_eq!((refused.status, refused.start_faults.len()), (ExperimentStatus::Draft, 1));
    assert_eq!(refused.start_faults[0].pointer, "/status");
    assert!(refused.start_faults[0].detail.starts_with("20 of your experiments are running"));
    assert_eq!(look(&world, later(200), 52).await, Ok(looked(20, 0, 0)));

    // The seller stops one, and any change of the draft makes it try again.
    patch(&world, 1, "*", &json!({"status": "stopped"}), 53).await.unwrap();
    patch(&world, 21, "*", &json!({"name": "Again"}), 54).await.unwrap();
    assert_eq!(look(&world, later(300), 55).await, Ok(looked(20, 1, 0)));
    assert_eq!(stored(&world, 21).await.status, ExperimentStatus::Running);
}

#[tokio::test]
async fn an_experiment_whose_end_has_passed_is_not_started() {
    let (world, _) = world_with(1).await;
    let times = json!({"startsAt": later(100), "stopsAt": later(200)});
    patch(&world, 1, "*", &times, 20).await.unwrap();
    assert_eq!(look(&world, later(200), 21).await, Ok(looked(1, 0, 1)));
    let refused = stored(&world, 1).await;
    assert_eq!(
        (refused.status, refused.start_faults[0].pointer.as_str()),
        (ExperimentStatus::Draft, "/stopsAt")
    );
    assert_eq!(world.table.product(product_id(1)).await.unwrap().version, 1);
}

/// There is no ClickHouse in these tests, as when it does not answer. Each try takes eleven seconds then.
#[tokio::test]
async fn changes_by_time_wait_for_no_count_and_a_second_one_is_not_tried() {
    let world = World::new();
    let guarded = json!({"metrics": {"guardrails": ["conversion"]}, "status": "running"});
    let until =
        json!({"metrics": {"guardrails": ["conversion"]}, "status": "running", "stopsAt": later(100)});
    let patches = [&guarded, &guarded, &until, &json!({"startsAt": later(100)})];
    for (number, body) in (1..).zip(patches) {
        world.publish(&product(number.into(), SELLER)).await;
        world.table.create_experiment(&draft(number, number.into(), 1), None).await.unwrap();
        patch(&world, number, "*", body, 20 + number).await.unwrap();
    }
    // The first has an old count, which is shown while no other can be made.
    let count = |id| world.table.begin_count(id, Writer([1; 16]), now(), later(40));
    let lease = count(experiment_id(1)).await.unwrap().unwrap();
    let totals = serde_json::to_string(&ExperimentTotals::default()).unwrap();
    let time = CountTime { counted_at: now(), duration_ms: 10 };
    world.table.end_count(lease, &StoredCount { time, as_of: now(), totals }).await.unwrap();
    // Each of them is the first to be looked at once.
    for (milliseconds, found, changed) in [(0, 4, 2), (1, 3, 0), (2, 3, 0), (3, 3, 0), (4, 3, 0)] {
        world.wire.take_sent();
        let at = Timestamp::from_unix_milliseconds(later(100).unix_milliseconds() + milliseconds);
        assert_eq!(look(&world, at, 40).await, Ok(looked(found, changed, 0)));
        assert_eq!(stored(&world, 3).await.stopped_by, Some(StoppedBy::Schedule));
        assert_eq!(stored(&world, 4).await.status, ExperimentStatus::Running);
        let sent = world.wire.take_sent();
        let place = |operation: &str| sent.iter().rposition(|sent| sent.operation == operation);
        let leases = sent.iter().filter(|sent| sent.body.to_string().contains("COUNT#LEASE"));
        let taken = leases.filter(|sent| sent.operation == "PutItem").count();
        assert_eq!(taken, 1, "one experiment is tried");
        assert!(place("TransactWriteItems") < place("PutItem"), "changes come first");
    }
}

#[tokio::test]
async fn every_experiment_is_the_first_whose_guardrails_are_looked_at_once() {
    let world = World::new();
    let guarded = json!({"metrics": {"guardrails": ["conversion"]}, "status": "running"});
    for number in 1..=3 {
        world.publish(&product(number.into(), SELLER)).await;
        world.table.create_experiment(&draft(number, number.into(), 1), None).await.unwrap();
        patch(&world, number, "*", &guarded, 20 + number).await.unwrap();
    }
    let mut firsts = BTreeSet::new();
    for milliseconds in 0..3 {
        let at = Timestamp::from_unix_milliseconds(later(100).unix_milliseconds() + milliseconds);
        world.wire.take_sent();
        look(&world, at, 40).await.unwrap();
        let sent = world.wire.take_sent();
        let lease = sent.iter().find(|sent| sent.body.to_string().contains("COUNT#LEASE")).unwrap();
        firsts.insert(lease.body["Item"]["pk"]["S"].as_str().unwrap().to_owned());
    }
    assert_eq!(firsts.len(), 3, "{firsts:?}");
}
