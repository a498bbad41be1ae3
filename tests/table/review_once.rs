//! Reviews with an idempotency key.

use domain::{
    Error,
    idempotency::{Idempotency, KEY_SECONDS},
    review::Review,
};
use serde_json::json;
use table::{Reviewed, keys};
use tests::{
    Fault, World,
    samples::{later, next_review, once, product_id, review},
};

const TWICE: Error = Error::Conflict { detail: "You have reviewed this product already." };
const WRITER: table::Writer = table::Writer([9; 16]);

/// The first request of a user, at second 0.
fn first() -> Review {
    review(product_id(1), 0)
}

/// The same request, this number of seconds later.
fn again(seconds: u64) -> Review {
    let mut again = first();
    again.created_at = later(seconds);
    again.updated_at = later(seconds);
    again
}

fn before(review: &Review) -> Reviewed {
    Reviewed::Before(Box::new(review.clone()))
}

async fn create(world: &World, review: &Review, once: &Idempotency) -> Result<Reviewed, Error> {
    // Each request has its own random bytes.
    let random = u8::try_from(review.created_at.unix_seconds() % 251).unwrap();
    world.table.create_review(review, Some(once), table::Writer([random; 16])).await
}

#[tokio::test]
async fn key_and_hash_stand_in_the_review_itself() {
    let world = World::new();
    let (review, key) = (first(), once("k", 1));
    let create = create(&world, &review, &key);
    assert_eq!(world.measure("create_review", "with a key", create).await, Ok(Reviewed::Created));
    let stored = world.item(&keys::review(product_id(1), first().author_id));
    assert_eq!(stored["onceKey"], json!({"S": "k"}));
    assert_eq!(stored["onceFingerprint"], json!({"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}));
    assert_eq!(world.items().len(), 1);
    let read = world.table.review(product_id(1), first().author_id).await;
    assert_eq!(read, Ok(first()), "readers do not see them");
}

#[tokio::test]
async fn the_same_request_again_has_the_review_and_changes_nothing() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    let items = world.items();
    let (again, key) = (again(5), once("k", 1));
    let create = create(&world, &again, &key);
    let replayed = world.measure("create_review", "with a key used before", create).await;
    assert_eq!(replayed, Ok(before(&first())));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused_and_changes_nothing() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    let items = world.items();
    assert_eq!(create(&world, &again(5), &once("k", 2)).await, Err(Error::KeyReused));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn another_key_or_none_is_a_second_review() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    assert_eq!(create(&world, &again(5), &once("l", 1)).await, Err(TWICE));
    assert_eq!(world.table.create_review(&again(5), None, WRITER).await, Err(TWICE));
}

#[tokio::test]
async fn a_review_that_was_written_without_a_key_is_no_replay() {
    let world = World::new();
    world.table.create_review(&first(), None, WRITER).await.unwrap();
    assert_eq!(create(&world, &again(5), &once("k", 1)).await, Err(TWICE));
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    assert_eq!(create(&world, &again(KEY_SECONDS), &once("k", 1)).await, Ok(before(&first())));
    assert_eq!(create(&world, &again(KEY_SECONDS + 1), &once("k", 1)).await, Err(TWICE));
    assert_eq!(create(&world, &again(KEY_SECONDS + 1), &once("k", 2)).await, Err(TWICE));
}

#[tokio::test]
async fn the_same_key_is_good_for_another_product() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    let other = review(product_id(2), 0);
    assert_eq!(create(&world, &other, &once("k", 1)).await, Ok(Reviewed::Created));
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_done_and_not_replayed() {
    let world = World::new();
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(create(&world, &first(), &once("k", 1)).await, Ok(Reviewed::Created));
}

/// The function dies, or the client stops retrying, after the write: the next request replays the first result.
#[tokio::test]
async fn a_request_that_was_done_and_never_answered_is_replayed() {
    let world = World::new();
    world.wire.always("PutItem", Fault::AnswerLost);
    let lost = create(&world, &first(), &once("k", 1)).await;
    assert!(crate::is_unavailable(&lost), "{lost:?}");
    world.wire.heal();
    assert_eq!(create(&world, &again(5), &once("k", 1)).await, Ok(before(&first())));
}

#[tokio::test]
async fn a_review_that_was_changed_meanwhile_is_answered_as_it_is_now() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    let changed = next_review(&first());
    world.table.replace_review(&changed, WRITER).await.unwrap();
    assert_eq!(create(&world, &again(5), &once("k", 1)).await, Ok(before(&changed)));
    assert_eq!(create(&world, &again(5), &once("k", 2)).await, Err(Error::KeyReused));
}

/// The idempotency key is an attribute of the review, so it is deleted with the review.
#[tokio::test]
async fn after_the_review_is_deleted_the_same_request_writes_it_anew() {
    let world = World::new();
    create(&world, &first(), &once("k", 1)).await.unwrap();
    world.table.delete_review(&first()).await.unwrap();
    assert_eq!(create(&world, &again(5), &once("k", 1)).await, Ok(Reviewed::Created));
    let read = world.table.review(product_id(1), first().author_id).await;
    assert_eq!(read, Ok(again(5)));
}
