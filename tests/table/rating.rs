//! Ratings: the sum of the changes of reviews, each counted once.

use crate::is_unavailable;
use domain::{Error, id::ProductId, rating::RatingChange};
use serde_json::{Value, json};
use std::sync::Arc;
use table::{Applied, Position, keys};
use tests::{
    Fault, World,
    samples::{STREAM, position, position_in, product, product_id, stars, stream_arn, user_id, withdrawal},
};

const ID: &str = "019aa251-4b48-7000-8000-000000000001";

type Changes = Vec<(Position, RatingChange)>;

/// The changes at these positions in the stream: each is a new review with (position mod 5) + 1 stars.
fn written(places: impl IntoIterator<Item = u64>) -> Changes {
    places.into_iter().map(|place| change(place, None, Some(i64::try_from(place).unwrap() % 5 + 1))).collect()
}

/// A change of a review's stars from `old` to `new`, at this position in the stream.
fn change(place: u64, old: Option<i64>, new: Option<i64>) -> (Position, RatingChange) {
    (position(place), RatingChange::of(old.map(stars), new.map(stars)))
}

async fn world() -> World {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world
}

async fn count(world: &World, changes: &[(Position, RatingChange)]) -> Result<Applied, Error> {
    world.table.count(product_id(1), changes).await
}

/// The stored counters of reviews with one to five stars, and the position of the last change that they include.
fn stored(world: &World, id: ProductId) -> ([String; 5], String) {
    let item = world.item(&keys::rating(id));
    let number = |name: &str| item[name]["N"].as_str().unwrap_or("0").to_owned();
    let held = item["held"]["S"].as_str().unwrap_or_default().trim_start_matches('0');
    (["stars1", "stars2", "stars3", "stars4", "stars5"].map(number), held.to_owned())
}

#[track_caller]
fn assert_stored(world: &World, histogram: [u64; 5], held: &str) {
    assert_eq!(stored(world, product_id(1)), (histogram.map(|count| count.to_string()), held.to_owned()));
}

#[tokio::test]
async fn a_change_is_stored_with_its_place_in_the_stream() {
    let world = world().await;
    let changes = [change(7, None, Some(5))];
    let count = count(&world, &changes);
    assert_eq!(world.measure("count", "one change", count).await, Ok(Applied::Counted));
    assert_eq!(
        world.item(&keys::rating(product_id(1))),
        json!({
            "pk": {"S": format!("PRODUCT#{ID}")}, "sk": {"S": "RATING"},
            "gsi1pk": {"S": format!("PRODUCT#{ID}")}, "gsi1sk": {"S": "~RATING"},
            "stars5": {"N": "1"}, "held": {"S": "0000000000000000000000000000000000000007"}, "stream": {"S": STREAM},
        })
    );
}

#[tokio::test]
async fn a_batch_is_one_write_and_no_read() {
    let world = world().await;
    let changes = written(1..=100);
    let count = count(&world, &changes);
    assert_eq!(world.measure("count", "a hundred changes", count).await, Ok(Applied::Counted));
    assert_stored(&world, [20; 5], "100");
}

#[tokio::test]
async fn page_and_list_show_the_counted_rating() {
    let world = world().await;
    count(&world, &[change(1, None, Some(5)), change(2, None, Some(4)), change(3, Some(4), Some(2))])
        .await
        .unwrap();
    let page = world.table.product_page(product_id(1), 10).await.unwrap();
    assert_eq!(page.listed.rating.histogram, [0, 1, 0, 0, 1]);
    assert_eq!(page.listed.rating.average(), Some(3.5));
    assert_eq!(world.table.listed_product(product_id(1)).await, Ok(page.listed));
}

#[tokio::test]
async fn one_batch_after_the_other_adds_up() {
    let world = world().await;
    for places in [1..=3, 4..=4, 5..=9] {
        assert_eq!(count(&world, &written(places)).await, Ok(Applied::Counted));
    }
    assert_stored(&world, [1, 2, 2, 2, 2], "9");
}

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing() {
    let world = world().await;
    let changes = written(1..=5);
    count(&world, &changes).await.unwrap();
    let before = world.items();
    let again = count(&world, &changes);
    assert_eq!(world.measure("count", "told before", again).await, Ok(Applied::Counted));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_redelivered_batch_with_more_records_adds_only_those() {
    let world = world().await;
    count(&world, &written(1..=3)).await.unwrap();
    let changes = written(1..=5);
    let more = count(&world, &changes);
    assert_eq!(world.measure("count", "told before in part", more).await, Ok(Applied::Counted));
    assert_stored(&world, [1; 5], "5");
}

/// Bisection, retries and restarts split a batch at any record and deliver records again; a delivery begins at or
/// before the first change that was not counted.
#[tokio::test]
async fn a_batch_that_is_cut_anywhere_is_counted_once() {
    let all = written(1..=6);
    for end in 0..=6 {
        for begin in 0..=end {
            let world = world().await;
            for part in [&all[..end], &all[begin..], &all[..end], &all[..]] {
                assert_eq!(count(&world, part).await, Ok(Applied::Counted));
            }
            assert_stored(&world, [1, 2, 1, 1, 1], "6");
        }
    }
}

#[tokio::test]
async fn an_addition_whose_answer_was_lost_is_counted_once() {
    let world = world().await;
    world.wire.next("UpdateItem", [Fault::AnswerLost, Fault::AnswerLost]);
    assert_eq!(count(&world, &written(1..=5)).await, Ok(Applied::Counted));
    assert_stored(&world, [1; 5], "5");
}

#[tokio::test]
async fn an_addition_that_was_never_answered_is_counted_once_when_it_comes_again() {
    let world = world().await;
    world.wire.always("UpdateItem", Fault::AnswerLost);
    let lost = count(&world, &written(1..=5)).await;
    assert!(is_unavailable(&lost), "{lost:?}");
    world.wire.heal();
    assert_eq!(count(&world, &written(1..=8)).await, Ok(Applied::Counted));
    assert_stored(&world, [1, 2, 2, 2, 1], "8");
}

/// A batch of counted and new changes: the first request is refused, and the answers to the second, which adds the new
/// changes, are lost twice.
#[tokio::test]
async fn the_rest_of_a_batch_whose_answer_was_lost_is_counted_once() {
    let world = world().await;
    count(&world, &written(1..=3)).await.unwrap();
    let answered = Fault::Altered(Arc::new(|_| {}));
    world.wire.next("UpdateItem", [answered, Fault::AnswerLost, Fault::AnswerLost]);
    world.wire.take_sent();
    assert_eq!(count(&world, &written(1..=5)).await, Ok(Applied::Counted));
    assert_stored(&world, [1; 5], "5");
    let sent = world.wire.take_sent();
    let adds: Vec<_> =
        sent.iter().map(|sent| sent.body["ExpressionAttributeValues"].get(":stars5")).collect();
    assert_eq!(adds, [Some(&json!({"N": "1"})); 4], "refused, lost, lost, refused: {sent:?}");
}

#[tokio::test]
async fn an_addition_that_never_arrived_leaves_the_rating_as_it_was() {
    let world = world().await;
    let before = world.items();
    world.wire.always("UpdateItem", Fault::Unreachable);
    let lost = count(&world, &written(1..=5)).await;
    assert!(is_unavailable(&lost), "{lost:?}");
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_product_that_is_gone_has_no_rating_and_none_is_made() {
    let world = World::new();
    let changes = written(1..=5);
    let gone = count(&world, &changes);
    assert_eq!(world.measure("count", "no such product", gone).await, Ok(Applied::Gone));
    assert_eq!(world.items().len(), 0);
}

/// While a product is being deleted, its reviews are deleted first, and its rating together with the product.
#[tokio::test]
async fn the_rating_of_a_product_that_is_being_deleted_is_counted_until_it_goes() {
    let world = world().await;
    count(&world, &written(1..=2)).await.unwrap();
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    let deleted = [change(3, Some(2), None), change(4, Some(3), None)];
    assert_eq!(count(&world, &deleted[..1]).await, Ok(Applied::Counted));
    assert_stored(&world, [0, 0, 1, 0, 0], "3");
    world.table.purge_product(product_id(1), user_id(7)).await.unwrap();
    assert_eq!(count(&world, &deleted).await, Ok(Applied::Gone));
    assert_eq!(world.items().len(), 0);
}

/// Their position is stored, because otherwise a repeated delivery of a part of them would be counted.
#[tokio::test]
async fn changes_that_cancel_each_other_out_are_held() {
    let world = world().await;
    let changes = [change(1, None, Some(5)), change(2, Some(5), None)];
    let count = count(&world, &changes);
    assert_eq!(world.measure("count", "changes that cancel out", count).await, Ok(Applied::Counted));
    assert_stored(&world, [0; 5], "2");
    for part in [&changes[..1], &changes[1..], &changes[..]] {
        assert_eq!(self::count(&world, part).await, Ok(Applied::Counted));
        assert_stored(&world, [0; 5], "2");
    }
}

#[tokio::test]
async fn an_empty_batch_sends_no_request() {
    let world = world().await;
    assert_eq!(count(&world, &[]).await, Ok(Applied::Counted));
    assert_eq!(world.wire.take_sent().len(), 0);
}

/// The stream delivers a product's changes in order. If it did not, a change would be missing, but none would be
/// counted twice.
#[tokio::test]
async fn a_batch_that_comes_after_a_later_one_changes_nothing() {
    let world = world().await;
    count(&world, &written(6..=10)).await.unwrap();
    let before = world.items();
    for places in [1..=5, 3..=7, 6..=6] {
        assert_eq!(count(&world, &written(places)).await, Ok(Applied::Counted));
        assert_eq!(world.items(), before);
    }
}

/// The same changes, as they come through a stream with this label.
fn in_stream(label: &str, changes: Changes) -> Changes {
    let moved = |(position, change): (Position, _)| {
        let number = position.number().parse().unwrap();
        (position_in(label, number), change)
    };
    changes.into_iter().map(moved).collect()
}

const NEWER: &str = "2026-01-01T00:00:00.000";

/// The sequence numbers of a new stream may be lower than those of the stream before it.
#[tokio::test]
async fn a_restored_table_counts_on_under_its_new_stream() {
    let world = world().await;
    count(&world, &written(1001..=1005)).await.unwrap();
    let changes = in_stream(NEWER, written(1..=5));
    for part in [&changes[..2], &changes[..4], &changes[1..], &changes[..]] {
        assert_eq!(count(&world, part).await, Ok(Applied::Counted));
    }
    assert_stored(&world, [2; 5], "5");
    assert_eq!(world.item(&keys::rating(product_id(1)))["stream"]["S"], NEWER);
}

/// It cannot be known whether the rating contains it, and it may be a change of the table that this one is a copy of.
#[tokio::test]
async fn a_late_change_of_an_older_stream_changes_nothing() {
    let world = world().await;
    count(&world, &in_stream(NEWER, written(1..=5))).await.unwrap();
    let before = world.items();
    for changes in [written(1..=5), written(1001..=1005)] {
        assert_eq!(count(&world, &changes).await, Ok(Applied::Counted));
        assert_eq!(world.items(), before);
    }
}

/// Ratings of earlier releases have no label: they were counted from the same stream.
#[tokio::test]
async fn a_rating_without_the_label_of_a_stream_counts_on() {
    let world = world().await;
    let held = position(5);
    world.put(&keys::rating(product_id(1)), &json!({"stars1": {"N": "7"}, "held": {"S": held.number()}}));
    assert_eq!(count(&world, &written(1..=5)).await, Ok(Applied::Counted));
    assert_stored(&world, [7, 0, 0, 0, 0], "5");
    assert_eq!(count(&world, &written(4..=6)).await, Ok(Applied::Counted));
    assert_stored(&world, [7, 1, 0, 0, 0], "6");
}

#[tokio::test]
async fn places_are_compared_as_numbers() {
    let world = world().await;
    count(&world, &written([9])).await.unwrap();
    count(&world, &written([10])).await.unwrap();
    count(&world, &written([9])).await.unwrap();
    let last = Position::parse(&stream_arn(STREAM), &"9".repeat(40)).unwrap();
    count(&world, &[(last, RatingChange::of(None, Some(stars(3))))]).await.unwrap();
    assert_stored(&world, [1, 0, 1, 0, 1], &"9".repeat(40));
}

#[tokio::test]
async fn products_are_counted_apart() {
    let world = world().await;
    world.publish(&product(2, 7)).await;
    count(&world, &written(1..=5)).await.unwrap();
    world.table.count(product_id(2), &written([3])).await.unwrap();
    assert_stored(&world, [1; 5], "5");
    assert_eq!(stored(&world, product_id(2)), (["0", "0", "0", "1", "0"].map(str::to_owned), "3".to_owned()));
}

#[tokio::test]
async fn a_rating_that_cannot_say_what_it_holds_is_our_mistake() {
    let world = world().await;
    world.put(&keys::rating(product_id(1)), &json!({"held": {"N": "1"}}));
    let counted = count(&world, &written([1])).await;
    assert!(matches!(counted, Err(Error::Internal { .. })), "{counted:?}");
    assert_eq!(world.item(&keys::rating(product_id(1)))["stars2"], Value::Null);
}
