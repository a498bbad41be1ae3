//! Purchases, and the reviews that say so.

use crate::order_support::{order_id, placed_by, placed_of_10};
use domain::{
    id::ProductId,
    order::OrderRequest,
    page::PageSize,
    review::{Review, ReviewFilter},
};
use serde_json::{Value, json};
use table::{Writer, keys};
use tests::{
    Fault, World,
    samples::{later, next_review, now, product_id, review, stars, user_id},
};

const CUSTOMER: u32 = 5;

/// An order of product 1 by the customer.
fn order(number: u32) -> OrderRequest {
    placed_by(CUSTOMER, number, &[(1, 1)]).request()
}

async fn has_bought(world: &World, product: u32) -> bool {
    world.table.has_bought(user_id(CUSTOMER), product_id(product)).await.unwrap()
}

/// The customer's review of product 1, which says that it was bought.
async fn verified_review(world: &World) -> Review {
    let review = Review { author_id: user_id(CUSTOMER), verified_purchase: true, ..review(product_id(1), 1) };
    world.table.create_review(&review, None, Writer([1; 16])).await.unwrap();
    review
}

async fn read(world: &World) -> Review {
    world.table.review(product_id(1), user_id(CUSTOMER)).await.unwrap()
}

#[tokio::test]
async fn a_purchase_is_one_write_unit_for_each_line() {
    let world = World::new();
    let (one, ten) = (order(1), placed_of_10(2).request());
    let record = world.table.record_purchases(&one, now());
    world.measure("record_purchases", "of one line", record).await.unwrap();
    let record = world.table.record_purchases(&ten, now());
    world.measure("record_purchases", "of 10 lines", record).await.unwrap();
    let key = keys::purchase(user_id(CUSTOMER), product_id(1), order_id(1));
    assert_eq!(
        world.item(&key),
        json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}, "at": {"S": "2025-11-20T17:30:27.040Z"}})
    );
    for number in 1..=10 {
        assert!(has_bought(&world, number).await, "{number}");
    }
    assert!(!has_bought(&world, 11).await);
    let other = world.table.has_bought(user_id(6), product_id(1)).await;
    assert_eq!(other, Ok(false), "a purchase belongs to one customer");
}

#[tokio::test]
async fn whether_somebody_has_bought_a_product_is_half_a_read_unit() {
    let world = World::new();
    let bought = || world.table.has_bought(user_id(CUSTOMER), product_id(1));
    assert_eq!(world.measure("has_bought", "no order", bought()).await, Ok(false));
    for number in 1..=30 {
        world.table.record_purchases(&order(number), now()).await.unwrap();
    }
    assert_eq!(world.measure("has_bought", "with 30 orders", bought()).await, Ok(true));
}

#[tokio::test]
async fn a_purchase_lasts_until_the_last_order_of_the_product_is_cancelled() {
    let world = World::new();
    for number in [1, 2] {
        world.table.record_purchases(&order(number), now()).await.unwrap();
    }
    let review = verified_review(&world).await;
    let (first, second) = (order(1), order(2));
    let revoke = world.table.revoke_purchases(&second, now());
    world.measure("revoke_purchases", "with another order", revoke).await.unwrap();
    assert!(has_bought(&world, 1).await);
    assert_eq!(read(&world).await, review, "the other order stands");

    let revoke = world.table.revoke_purchases(&first, now());
    world.measure("revoke_purchases", "with a review", revoke).await.unwrap();
    assert!(!has_bought(&world, 1).await);
    let unverified = Review { verified_purchase: false, version: review.version + 1, ..review.clone() };
    assert_eq!(read(&world).await, unverified);

    let revoke = world.table.revoke_purchases(&first, now());
    world.measure("revoke_purchases", "revoked before", revoke).await.unwrap();
    assert_eq!(read(&world).await, unverified);
    assert_eq!(world.item(&keys::purchase(user_id(CUSTOMER), product_id(1), order_id(1)))["ttl"]["N"], {
        Value::from(later(24 * 60 * 60).unix_seconds().to_string())
    });
}

/// The capture of a payment may be repeated, also after the order was cancelled.
#[tokio::test]
async fn repeated_steps_count_once_and_a_late_record_revives_nothing() {
    let world = World::new();
    for _ in 0..2 {
        world.table.record_purchases(&order(1), now()).await.unwrap();
    }
    world.table.revoke_purchases(&order(1), now()).await.unwrap();
    assert!(!has_bought(&world, 1).await);
    world.table.record_purchases(&order(1), later(1)).await.unwrap();
    assert!(!has_bought(&world, 1).await);

    // The cancellation comes first.
    world.table.revoke_purchases(&order(2), now()).await.unwrap();
    world.table.record_purchases(&order(2), later(1)).await.unwrap();
    assert!(!has_bought(&world, 1).await);
}

#[tokio::test]
async fn a_lost_answer_changes_nothing() {
    let world = World::new();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    world.table.record_purchases(&order(1), now()).await.unwrap();
    assert!(has_bought(&world, 1).await);
    let review = verified_review(&world).await;
    world.wire.always("UpdateItem", Fault::AtFirst(Box::new(Fault::AnswerLost)));
    world.table.revoke_purchases(&order(1), now()).await.unwrap();
    assert_eq!(read(&world).await.version, review.version + 1);
}

/// An author who changes the review while the order is being cancelled may have read the purchase before.
#[tokio::test]
async fn a_change_that_read_the_purchase_before_it_was_revoked_is_refused() {
    let world = World::new();
    world.table.record_purchases(&order(1), now()).await.unwrap();
    let late = next_review(&verified_review(&world).await);
    world.table.revoke_purchases(&order(1), now()).await.unwrap();
    let replaced = world.table.replace_review(&late, Writer([2; 16])).await;
    assert_eq!(replaced, Err(domain::Error::Stale { current: late.version }));
    assert!(!read(&world).await.verified_purchase);
}

#[tokio::test]
async fn reviews_are_listed_by_purchase_and_stars() {
    let world = World::new();
    let mut expected = Vec::new();
    for number in 0..300 {
        let review = Review { verified_purchase: number % 3 == 0, ..review(product_id(1), number) };
        world.table.create_review(&review, None, Writer([1; 16])).await.unwrap();
        expected.insert(0, review);
    }
    let bought = || expected.iter().filter(|review| review.verified_purchase);
    let of = |stars| ReviewFilter { stars, verified_purchase: true };
    let list = world.table.reviews_of(product_id(1), of(None), PageSize::DEFAULT, None);
    let page = world.measure("reviews_of", "20 by purchase of 300", list).await.unwrap();
    assert_eq!(page.items, bought().take(20).cloned().collect::<Vec<_>>());
    assert!(page.next.is_some());
    let five = of(Some(stars(5)));
    let page = world.table.reviews_of(product_id(1), five, PageSize::DEFAULT, None).await.unwrap();
    let fives = bought().filter(|review| review.draft.rating == stars(5));
    assert_eq!(page.items, fives.take(20).cloned().collect::<Vec<_>>());
}

/// Reviews that were stored before purchases were recorded have no mark.
#[tokio::test]
async fn a_review_without_the_mark_is_not_verified() {
    let world = World::new();
    let review = verified_review(&world).await;
    let key = keys::review(review.product_id, review.author_id);
    let mut item = world.item(&key);
    item.as_object_mut().unwrap().remove("verifiedPurchase");
    world.put(&key, &item);
    assert!(!read(&world).await.verified_purchase);
    let id: ProductId = product_id(1);
    let filter = ReviewFilter { verified_purchase: true, ..ReviewFilter::default() };
    let page = world.table.reviews_of(id, filter, PageSize::DEFAULT, None).await.unwrap();
    assert_eq!(page.items, []);
}
