//! Rate limits.

use crate::together;
use domain::{Timestamp, limit::Limit};
use serde_json::json;
use std::sync::Arc;
use tests::{Fault, World};

const LIMIT: Limit = Limit { name: "source", quota: 3, window_seconds: 900 };

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_milliseconds(seconds * 1000)
}

#[tokio::test]
async fn a_request_is_counted_in_its_window() {
    let world = World::new();
    let spend = world.table.spend("log-in", LIMIT, "192.0.2.1", at(1801));
    let standing = world.measure("spend", "", spend).await.unwrap();
    assert_eq!((standing.remaining, standing.reset_seconds, standing.allowed), (2, 899, true));
    assert_eq!(
        world.items(),
        [json!({
            "pk": {"S": "LIMIT#log-in#source#192.0.2.1"}, "sk": {"S": "1800"},
            "used": {"N": "1"}, "ttl": {"N": "2700"},
        })]
    );
}

#[tokio::test]
async fn the_limit_is_spent_when_its_quota_is_used_up() {
    let world = World::new();
    let mut standings = Vec::new();
    for _ in 0..5 {
        let standing = world.table.spend("log-in", LIMIT, "192.0.2.1", at(1801)).await.unwrap();
        standings.push((standing.remaining, standing.allowed));
    }
    assert_eq!(standings, [(2, true), (1, true), (0, true), (0, false), (0, false)]);
}

#[tokio::test]
async fn the_next_window_begins_anew() {
    let world = World::new();
    for _ in 0..4 {
        world.table.spend("log-in", LIMIT, "192.0.2.1", at(2699)).await.unwrap();
    }
    let standing = world.table.spend("log-in", LIMIT, "192.0.2.1", at(2700)).await.unwrap();
    assert_eq!((standing.remaining, standing.allowed), (2, true));
    let back = world.table.spend("log-in", LIMIT, "192.0.2.1", at(2699)).await.unwrap();
    assert!(!back.allowed, "the window before is as it was");
}

#[tokio::test]
async fn operations_limits_and_values_are_counted_apart() {
    let world = World::new();
    let email = Limit { name: "email", ..LIMIT };
    let spent = [
        world.table.spend("log-in", LIMIT, "x", at(0)).await,
        world.table.spend("register", LIMIT, "x", at(0)).await,
        world.table.spend("log-in", email, "x", at(0)).await,
        world.table.spend("log-in", LIMIT, "y", at(0)).await,
    ];
    assert!(spent.into_iter().all(|standing| standing.unwrap().remaining == 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_at_the_same_instant_are_all_counted() {
    let world = Arc::new(World::new());
    let spent = together(&world, 50, async |world, _| {
        world.table.spend("log-in", LIMIT, "x", at(0)).await.unwrap().allowed
    });
    assert_eq!(spent.await.into_iter().filter(|allowed| *allowed).count(), 3);
    assert_eq!(world.items()[0]["used"], json!({"N": "50"}));
}

/// A retry of the unconditional write counts again, which can only make the limit stricter.
#[tokio::test]
async fn a_count_whose_answer_was_lost_counts_twice() {
    let world = World::new();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    let standing = world.table.spend("log-in", LIMIT, "x", at(0)).await.unwrap();
    assert_eq!((standing.remaining, standing.allowed), (1, true));
}
