//! Counts of experiments: the last one is read, and one function counts at a time.

use crate::experiment_support::{context_of, patch, world_with};
use app::{Client, experiment_results::ExperimentResults};
use domain::{
    Timestamp,
    experiment::Experiment,
    experiment_count::CountTime,
    id::{ExperimentId, Id},
};
use serde_json::json;
use statistics::{ExperimentTotals, VariantTotals};
use table::{CountLease, StoredCount, Writer, keys};
use tests::{
    Fault, World,
    samples::{later, now},
};

fn id() -> ExperimentId {
    ExperimentId::new(now(), [3; 10])
}

/// The totals of three variants for this number of days, in the size that they have.
fn totals(days: usize) -> String {
    let day = |index: usize| {
        format!(
            r#"{{"date":"2026-01-{index:02}","users":{},"conversions":{},"orders":{},"revenue":"{}"}}"#,
            1_000 + index * 37 % 211,
            90 + index * 13 % 31,
            95 + index * 7 % 29,
            1_234_567 + index * 98_731 % 654_321
        )
    };
    format!("[{}]", (0..3 * days).map(day).collect::<Vec<_>>().join(","))
}

fn count(seconds: u64, days: usize) -> StoredCount {
    let time = CountTime { counted_at: later(seconds), duration_ms: 400 };
    StoredCount { time, as_of: later(seconds), totals: totals(days) }
}

async fn begin(world: &World, byte: u8, at: Timestamp) -> Option<CountLease> {
    world.table.begin_count(id(), Writer([byte; 16]), at, at.plus_seconds(40)).await.unwrap()
}

#[tokio::test]
async fn the_last_count_is_read() {
    let world = World::new();
    let read = world.measure("experiment_count", "before the first", world.table.experiment_count(id()));
    assert_eq!(read.await.unwrap(), None);
    let stored = count(10, 30);
    let first = world.table.begin_count(id(), Writer([1; 16]), now(), later(40));
    let lease = world.measure("begin_count", "", first).await.unwrap().unwrap();
    let end = world.table.end_count(lease, &stored);
    world.measure("end_count", "30 days of three variants", end).await.unwrap();
    let read = world.table.experiment_count(id());
    let read = world.measure("experiment_count", "30 days of three variants", read);
    assert_eq!(read.await.unwrap(), Some(stored));
    let stored = count(10, 400);
    let lease = begin(&world, 2, now()).await.unwrap();
    let end = world.table.end_count(lease, &stored);
    world.measure("end_count", "400 days of three variants", end).await.unwrap();
    let read = world.table.experiment_count(id());
    let read = world.measure("experiment_count", "400 days of three variants", read);
    assert_eq!(read.await.unwrap(), Some(stored));
    let item = world.item(&keys::experiments::experiment_count(id()));
    assert_eq!(item["ttl"]["N"], later(10 + 400 * 86_400).unix_seconds().to_string());
}

#[tokio::test]
async fn one_function_counts_at_a_time() {
    let world = World::new();
    let first = begin(&world, 1, now()).await.unwrap();
    assert_eq!(begin(&world, 2, later(39)).await, None);
    world.table.end_count(first, &count(5, 1)).await.unwrap();
    let second = begin(&world, 2, later(6)).await.unwrap();
    world.measure("give_up_count", "", world.table.give_up_count(second)).await.unwrap();
    assert!(begin(&world, 3, later(7)).await.is_some());
}

#[tokio::test]
async fn the_right_of_one_that_died_ends() {
    let world = World::new();
    let first = begin(&world, 1, now()).await.unwrap();
    let second = begin(&world, 2, later(40)).await.unwrap();
    // The first was only late. Its count is stored, and the second keeps its right.
    world.table.end_count(first, &count(0, 1)).await.unwrap();
    assert_eq!(begin(&world, 3, later(41)).await, None);
    world.table.end_count(second, &count(40, 2)).await.unwrap();
    assert_eq!(world.table.experiment_count(id()).await.unwrap(), Some(count(40, 2)));
}

#[tokio::test]
async fn an_earlier_count_does_not_replace_a_later_one() {
    let world = World::new();
    let first = begin(&world, 1, now()).await.unwrap();
    let second = begin(&world, 2, later(40)).await.unwrap();
    world.table.end_count(second, &count(40, 2)).await.unwrap();
    world.table.end_count(first, &count(0, 1)).await.unwrap();
    assert_eq!(world.table.experiment_count(id()).await.unwrap(), Some(count(40, 2)));
}

#[tokio::test]
async fn lost_answers_change_nothing() {
    let world = World::new();
    world.wire.next("PutItem", [Fault::AnswerLost]);
    let lease = begin(&world, 1, now()).await.expect("the repeat recognises its own item");
    world.wire.next("PutItem", [Fault::AnswerLost]);
    world.wire.next("DeleteItem", [Fault::AnswerLost]);
    world.table.end_count(lease, &count(5, 1)).await.unwrap();
    assert_eq!(world.table.experiment_count(id()).await.unwrap(), Some(count(5, 1)));
    assert!(begin(&world, 2, later(6)).await.is_some());
}

/// A running experiment, whose last count found 77 visitors and took this long.
async fn counted(duration_ms: u64) -> (World, Experiment) {
    let (world, draft) = world_with(1).await;
    patch(&world, 1, "*", &json!({"status": "running"}), 20).await.unwrap();
    let id = draft.experiment_id;
    let control = VariantTotals { variant: "control".to_owned(), users: 77, ..VariantTotals::default() };
    let totals = ExperimentTotals { variants: vec![control], ..ExperimentTotals::default() };
    let time = CountTime { counted_at: later(10), duration_ms };
    let count = StoredCount { time, as_of: later(10), totals: serde_json::to_string(&totals).unwrap() };
    let lease = world.table.begin_count(id, Writer([1; 16]), now(), later(40)).await.unwrap().unwrap();
    world.table.end_count(lease, &count).await.unwrap();
    let running = world.table.experiment(id).await.unwrap();
    world.wire.take_sent();
    (world, running)
}

/// There is no ClickHouse here: what would count gives its right back, and shows the last count.
#[tokio::test]
async fn looks_make_a_quick_count_again_and_leave_a_long_one_to_the_schedule() {
    let made = vec!["GetItem", "PutItem", "DeleteItem"];
    for (duration_ms, seconds, expected) in [
        (3_000, 69, vec!["GetItem"]),
        (3_000, 70, made),
        (3_001, 70, vec!["GetItem"]),
        (3_001, 86_400, vec!["GetItem"]),
    ] {
        let (world, running) = counted(duration_ms).await;
        let results = ExperimentResults::new(&context_of(&world, later(seconds), 30)).unwrap();
        let shown = results.of(&running).await.unwrap();
        assert_eq!((shown.as_of, shown.results.variants[0].users), (later(10), 77));
        let sent: Vec<_> = world.wire.take_sent().into_iter().map(|sent| sent.operation).collect();
        assert_eq!(sent, expected, "{duration_ms} ms, after {seconds} s");
    }
}
