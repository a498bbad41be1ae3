//! Recounting ratings from the stored reviews.

use domain::{Error, rating::RatingChange};
use serde_json::json;
use table::{Applied, Position, Recount, keys};
use tests::{
    Fault, World,
    samples::{STREAM, position, position_in, product, product_id, stars, user_id, withdrawal},
};

const NO_PRODUCT: Error = Error::NotFound { what: "product" };

/// Product 1 with this number of reviews, distributed evenly over one to five stars.
async fn world(reviews: u32) -> World {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    for number in 0..reviews {
        world.put_review(product_id(1), number);
    }
    world
}

/// Counts one review with five stars, at this position in the stream.
async fn count(world: &World, place: u64) {
    count_at(world, position(place)).await;
}

async fn count_at(world: &World, position: Position) {
    let changes = [(position, RatingChange::of(None, Some(stars(5))))];
    assert_eq!(world.table.count(product_id(1), &changes).await, Ok(Applied::Counted));
}

async fn repair(world: &World, drifted: &Recount) -> Result<bool, Error> {
    world.table.repair_rating(product_id(1), drifted, STREAM).await
}

async fn recount(world: &World) -> Recount {
    world.table.recount(product_id(1)).await.unwrap()
}

fn histograms(recount: &Recount) -> ([u64; 5], [u64; 5]) {
    (recount.stored.histogram, recount.counted.histogram)
}

#[tokio::test]
async fn reviews_are_counted_beside_what_is_stored() {
    let world = world(45).await;
    count(&world, 1).await;
    let recount = world.table.recount(product_id(1));
    let recount = world.measure("recount", "of 45 reviews", recount).await.unwrap();
    assert_eq!(histograms(&recount), ([0, 0, 0, 0, 1], [9; 5]));
}

#[tokio::test]
async fn a_product_without_reviews_has_nothing_to_count() {
    let world = world(0).await;
    let recount = world.table.recount(product_id(1));
    let recount = world.measure("recount", "no review", recount).await.unwrap();
    assert_eq!(histograms(&recount), ([0; 5], [0; 5]));
}

#[tokio::test]
async fn reviews_of_others_are_not_counted() {
    let world = world(5).await;
    world.put_review(product_id(2), 1);
    assert_eq!(recount(&world).await.counted.histogram, [1; 5]);
}

/// A Query returns at most 1 MB.
#[tokio::test]
async fn reviews_beyond_one_query_are_counted() {
    let world = world(4500).await;
    world.wire.take_sent();
    assert_eq!(recount(&world).await.counted.histogram, [900; 5]);
    assert_eq!(world.measured().requests, "GetItem PRODUCT#, then 2 × Query PRODUCT#");
}

/// The recount must include every review whose change the stream has delivered.
#[tokio::test]
async fn all_is_read_consistently() {
    let world = world(5).await;
    recount(&world).await;
    assert!(world.wire.take_sent().iter().all(|request| request.body["ConsistentRead"] == true));
}

/// A rating read after the reviews could include newer changes than the recount.
#[tokio::test]
async fn the_rating_is_read_before_the_reviews() {
    let world = world(5).await;
    world.wire.take_sent();
    recount(&world).await;
    let operations: Vec<_> = world.wire.take_sent().into_iter().map(|sent| sent.operation).collect();
    assert_eq!(operations, ["GetItem", "Query"]);
}

#[tokio::test]
async fn a_product_that_is_not_there_is_not_found() {
    let world = World::new();
    assert_eq!(world.table.recount(product_id(1)).await, Err(NO_PRODUCT));
}

#[tokio::test]
async fn a_review_with_impossible_stars_is_our_mistake() {
    for rating in ["0", "6", "4000000000000000000"] {
        let world = world(0).await;
        world.put(&keys::review(product_id(1), user_id(1)), &json!({"rating": {"N": rating}}));
        let recount = world.table.recount(product_id(1)).await;
        assert!(matches!(recount, Err(Error::Internal { .. })), "{rating}: {recount:?}");
    }
}

#[tokio::test]
async fn a_rating_that_has_drifted_is_repaired_and_goes_on() {
    let world = world(5).await;
    count(&world, 7).await;
    let drifted = recount(&world).await;
    let repair = repair(&world, &drifted);
    assert_eq!(world.measure("repair_rating", "", repair).await, Ok(true));
    assert_eq!(histograms(&recount(&world).await), ([1; 5], [1; 5]));

    let listed = world.table.listed_product(product_id(1)).await.unwrap();
    assert_eq!(listed.rating.histogram, [1; 5]);
    for place in [7, 8, 8] {
        count(&world, place).await;
    }
    let after = recount(&world).await;
    assert_eq!(after.stored.histogram, [1, 1, 1, 1, 2], "what it held is held, and what is new is added");
}

/// The table was copied from one whose stream is newer, so that no change of the present stream would count.
#[tokio::test]
async fn a_repaired_rating_counts_in_the_present_stream() {
    for answers_lost in [0, 2] {
        let world = world(5).await;
        count_at(&world, position_in("2026-01-01T00:00:00.000", 7)).await;
        count(&world, 9).await;
        let drifted = recount(&world).await;
        assert_eq!(histograms(&drifted), ([0, 0, 0, 0, 1], [1; 5]), "a change of an older stream is dropped");
        world.wire.next("UpdateItem", vec![Fault::AnswerLost; answers_lost]);
        assert_eq!(repair(&world, &drifted).await, Ok(true));
        for place in [1, 2, 2, 1] {
            count(&world, place).await;
        }
        assert_eq!(recount(&world).await.stored.histogram, [1, 1, 1, 1, 3]);
    }
}

#[tokio::test]
async fn a_rating_that_nothing_was_counted_in_is_repaired() {
    let world = world(5).await;
    let drifted = recount(&world).await;
    assert_eq!(repair(&world, &drifted).await, Ok(true));
    assert_eq!(recount(&world).await.stored.histogram, [1; 5]);
}

#[tokio::test]
async fn a_rating_that_has_changed_meanwhile_is_left_alone() {
    for counted_before in [true, false] {
        let world = world(5).await;
        if counted_before {
            count(&world, 7).await;
        }
        let drifted = recount(&world).await;
        count(&world, 8).await;
        let before = world.items();
        let repair = repair(&world, &drifted);
        assert_eq!(world.measure("repair_rating", "changed meanwhile", repair).await, Ok(false));
        assert_eq!(world.items(), before);
    }
}

#[tokio::test]
async fn the_rating_of_a_product_that_is_gone_is_not_made() {
    for counted_before in [true, false] {
        let world = world(0).await;
        if counted_before {
            count(&world, 7).await;
        }
        let drifted = recount(&world).await;
        world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
        world.table.purge_product(product_id(1), user_id(7)).await.unwrap();
        assert_eq!(repair(&world, &drifted).await, Ok(false));
        assert_eq!(world.items().len(), 0);
    }
}

#[tokio::test]
async fn a_repair_whose_answer_was_lost_has_succeeded() {
    let world = world(5).await;
    let drifted = recount(&world).await;
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    assert_eq!(repair(&world, &drifted).await, Ok(true));
    assert_eq!(recount(&world).await.stored.histogram, [1; 5]);
}

/// A negative counter is read as zero, as on the page.
#[tokio::test]
async fn a_rating_that_fell_below_zero_is_repaired() {
    let world = world(5).await;
    let taken: RatingChange = RatingChange::of(Some(stars(5)), None);
    world.table.count(product_id(1), &[(position(1), taken)]).await.unwrap();
    let drifted = recount(&world).await;
    assert_eq!(histograms(&drifted), ([0; 5], [1; 5]));
    assert_eq!(repair(&world, &drifted).await, Ok(true));
    assert_eq!(world.item(&keys::rating(product_id(1)))["stars5"], json!({"N": "1"}));
}
