//! Rate limits.

use crate::together;
use domain::{
    Error, Timestamp,
    id::{Id, OrderId},
    limit::{Limit, LimitStatus},
};
use serde_json::json;
use std::sync::Arc;
use tests::{Fault, World, samples::user_id};

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

const ORDERS: Limit = Limit { name: "orders", quota: 5, window_seconds: 900 };
const UNPAID: Limit = Limit { name: "declined", quota: 2, window_seconds: 900 };

/// An order that was placed at this time.
fn order(number: u8, seconds: u64) -> OrderId {
    OrderId::new(at(seconds), [number; 10])
}

async fn admit(world: &World, order: OrderId) -> Result<[bool; 2], Error> {
    let statuses = world.table.admit_order(user_id(1), order, [ORDERS, UNPAID]).await?;
    Ok(statuses.map(|LimitStatus { allowed, .. }| allowed))
}

#[tokio::test]
async fn orders_that_are_not_paid_are_limited_until_they_are_paid() {
    let world = World::new();
    let first = world.table.admit_order(user_id(1), order(1, 1801), [ORDERS, UNPAID]);
    let [orders, unpaid] = world.measure("admit_order", "", first).await.unwrap();
    assert_eq!((orders.remaining, unpaid.remaining, unpaid.reset_seconds), (4, 1, 899));
    assert_eq!(admit(&world, order(2, 1802)).await, Ok([true, true]));
    let third = world.table.admit_order(user_id(1), order(3, 1803), [ORDERS, UNPAID]);
    let [orders, unpaid] = world.measure("admit_order", "over the limit", third).await.unwrap();
    assert_eq!((orders.allowed, unpaid.allowed, unpaid.remaining), (true, false, 0));
    for case in ["", "counted before"] {
        let paid = world.table.count_as_paid(user_id(1), order(1, 1801), 900);
        assert_eq!(world.measure("count_as_paid", case, paid).await, Ok(()));
    }
    assert_eq!(admit(&world, order(3, 1803)).await, Ok([true, true]));
    assert_eq!(admit(&world, order(4, 1804)).await, Ok([true, false]));
    assert_eq!(admit(&world, order(5, 2700)).await, Ok([true, true]), "the next window");
}

#[tokio::test]
async fn paid_orders_are_limited_too() {
    let world = World::new();
    for number in 1..=5 {
        assert_eq!(admit(&world, order(number, 0)).await, Ok([true, true]));
        world.table.count_as_paid(user_id(1), order(number, 0), 900).await.unwrap();
    }
    assert_eq!(admit(&world, order(6, 0)).await, Ok([false, true]));
}

/// Card testing: many orders at the same instant, each with another card.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_at_the_same_instant_do_not_exceed_the_limit() {
    let world = Arc::new(World::new());
    let admitted = together(&world, 50, async |world, number| {
        admit(&world, order(u8::try_from(number).unwrap(), 0)).await.unwrap() == [true, true]
    });
    assert_eq!(admitted.await.into_iter().filter(|admitted| *admitted).count(), 2);
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_not_paid_once() {
    let world = World::new();
    let limits = [ORDERS, Limit { quota: 1, ..UNPAID }];
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    let [_, unpaid] = world.table.admit_order(user_id(1), order(1, 0), limits).await.unwrap();
    assert_eq!((unpaid.allowed, unpaid.remaining), (true, 0));
}

/// A counter that DynamoDB has deleted at its end is not created again, without an end.
#[tokio::test]
async fn a_payment_after_the_window_leaves_no_counter() {
    let world = World::new();
    world.table.count_as_paid(user_id(1), order(1, 0), 900).await.unwrap();
    assert_eq!(world.items(), [json!(null); 0]);
}
