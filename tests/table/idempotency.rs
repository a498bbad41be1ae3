//! Requests with an idempotency key.

use crate::{hold, together};
use domain::{
    Error,
    idempotency::{Creation, Idempotency, KEY_SECONDS, StoredResponse},
    product::Product,
};
use serde_json::json;
use std::sync::Arc;
use table::keys;
use tests::{
    Fault, World,
    samples::{later, once, product, stock},
};

fn answer(product: &Product) -> StoredResponse {
    StoredResponse {
        status: 201,
        headers: vec![("location".into(), format!("/products/{}", product.product_id))],
        body: json!({"productId": product.product_id}).to_string(),
    }
}

async fn create(world: &World, product: &Product, once: &Idempotency) -> Result<Creation, Error> {
    world.table.create_product(product, stock(3), Some((once, &answer(product)))).await
}

#[tokio::test]
async fn the_answer_is_stored_with_what_it_stands_for() {
    let world = World::new();
    let product = product(1, 7);
    let done = world.measure("create_product", "with a key", create(&world, &product, &once("k", 1))).await;
    assert_eq!(done, Ok(Creation::New));
    assert_eq!(
        world.item(&keys::idempotency(product.seller_id, "product-create", "k")),
        json!({
            "pk": {"S": "USER#019aa251-4760-7000-8000-000000000007"},
            "sk": {"S": "IDEMPOTENCY#product-create#k"},
            "fingerprint": {"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},
            "answer": {"S": "{\"status\":201,\"headers\":[[\"location\",\"/products/019aa251-4b48-7000-8000-000000000001\"]],\"body\":\"{\\\"productId\\\":\\\"019aa251-4b48-7000-8000-000000000001\\\"}\"}"},
            "ttl": {"N": "1763746228"},
        })
    );
    assert_eq!(world.items().len(), 6);
}

#[tokio::test]
async fn the_same_request_again_has_the_first_answer_and_changes_nothing() {
    let world = World::new();
    let (first, again) = (product(1, 7), product(2, 7));
    create(&world, &first, &once("k", 1)).await.unwrap();
    let before = world.items();
    let key = once("k", 1);
    let create = create(&world, &again, &key);
    let replayed = world.measure("create_product", "with a key used before", create);
    assert_eq!(replayed.await, Ok(Creation::Replayed(answer(&first))));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused_and_changes_nothing() {
    let world = World::new();
    create(&world, &product(1, 7), &once("k", 1)).await.unwrap();
    let before = world.items();
    assert_eq!(create(&world, &product(2, 7), &once("k", 2)).await, Err(Error::KeyReused));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_key_belongs_to_its_user() {
    let world = World::new();
    create(&world, &product(1, 7), &once("k", 1)).await.unwrap();
    assert_eq!(create(&world, &product(2, 8), &once("k", 2)).await, Ok(Creation::New));
}

#[tokio::test]
async fn other_keys_are_other_requests() {
    let world = World::new();
    create(&world, &product(1, 7), &once("k", 1)).await.unwrap();
    assert_eq!(create(&world, &product(2, 7), &once("l", 1)).await, Ok(Creation::New));
    assert_eq!(world.table.create_product(&product(3, 7), stock(3), None).await, Ok(Creation::New));
    assert_eq!(world.items().len(), 17);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_even_while_its_record_is_still_stored() {
    let world = World::new();
    let mut late = product(2, 7);
    create(&world, &product(1, 7), &once("k", 1)).await.unwrap();
    late.created_at = later(1 + KEY_SECONDS);
    let replayed = create(&world, &late, &once("k", 1)).await;
    assert_eq!(replayed, Ok(Creation::Replayed(answer(&product(1, 7)))), "the last second counts");
    late.created_at = later(2 + KEY_SECONDS);
    assert_eq!(create(&world, &late, &once("k", 2)).await, Ok(Creation::New));
    let replayed = create(&world, &product(3, 7), &once("k", 2)).await;
    assert_eq!(replayed, Ok(Creation::Replayed(answer(&late))));
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_done_and_not_replayed() {
    let world = World::new();
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(create(&world, &product(1, 7), &once("k", 1)).await, Ok(Creation::New));
}

/// The function dies, or the client stops retrying, after the write: the next request replays the first result.
#[tokio::test]
async fn a_request_that_was_done_and_never_answered_is_replayed() {
    let world = World::new();
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    let lost = create(&world, &product(1, 7), &once("k", 1)).await;
    assert!(crate::is_unavailable(&lost), "{lost:?}");
    world.wire.heal();
    let replayed = create(&world, &product(2, 7), &once("k", 1)).await;
    assert_eq!(replayed, Ok(Creation::Replayed(answer(&product(1, 7)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_concurrent_requests_with_one_key_create_one_concert() {
    let world = Arc::new(World::new());
    hold(&world, "TransactWriteItems", 20);
    let outcomes = together(&world, 20, async |world, number| {
        create(&world, &product(number, 7), &once("k", 1)).await.unwrap()
    })
    .await;
    let winner = outcomes.iter().position(|outcome| *outcome == Creation::New).unwrap();
    let replayed = Creation::Replayed(answer(&product(u32::try_from(winner).unwrap(), 7)));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == replayed).count(), 19);
    assert_eq!(world.items().len(), 6);
}
