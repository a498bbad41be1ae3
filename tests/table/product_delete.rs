//! Withdrawing a product.

use crate::is_unavailable;
use domain::Error;
use serde_json::json;
use table::{Hidden, Purged, keys};
use tests::{
    Fault, World,
    samples::{next_version, product, product_id, user_id, withdrawal},
};

#[tokio::test]
async fn a_hidden_product_keeps_its_data_and_leaves_both_indexes() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let mut expected = world.item(&keys::product(product_id(1)));
    for key in ["gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"] {
        expected.as_object_mut().unwrap().remove(key);
    }
    expected["hidden"] = json!({"N": "1"});
    let mut stock = world.item(&keys::stock(product_id(1)));
    for key in ["gsi1pk", "gsi1sk"] {
        stock.as_object_mut().unwrap().remove(key);
    }
    stock["hidden"] = json!({"N": "1"});
    let hide = world.table.hide_product(withdrawal(product_id(1), 1));
    assert_eq!(world.measure("hide_product", "", hide).await, Ok(Hidden::Done));
    assert_eq!(world.item(&keys::product(product_id(1))), expected);
    assert_eq!(world.item(&keys::stock(product_id(1))), stock);
}

#[tokio::test]
async fn a_product_is_hidden_once_and_stays_so() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.hide_product(withdrawal(product_id(1), 1)).await, Ok(Hidden::Done));
    let before = world.items();
    let again = world.table.hide_product(withdrawal(product_id(1), 1));
    assert_eq!(world.measure("hide_product", "hidden before", again).await, Ok(Hidden::Done));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn another_version_than_the_present_one_is_not_hidden() {
    let world = World::new();
    let first = product(1, 7);
    world.publish(&first).await;
    world
        .table
        .replace_product(&next_version(&first), &first.draft.category, table::Writer([1; 16]))
        .await
        .unwrap();
    let before = world.items();
    for version in [1, 3] {
        assert_eq!(
            world.table.hide_product(withdrawal(product_id(1), version)).await,
            Ok(Hidden::Superseded(2))
        );
    }
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn another_version_is_superseded_even_by_a_hidden_one() {
    let world = World::new();
    let first = product(1, 7);
    world.publish(&first).await;
    world
        .table
        .replace_product(&next_version(&first), &first.draft.category, table::Writer([1; 16]))
        .await
        .unwrap();
    world.table.hide_product(withdrawal(product_id(1), 2)).await.unwrap();
    assert_eq!(world.table.hide_product(withdrawal(product_id(1), 1)).await, Ok(Hidden::Superseded(2)));
}

#[tokio::test]
async fn a_product_that_is_not_there_is_gone_and_not_made() {
    let world = World::new();
    assert_eq!(world.table.hide_product(withdrawal(product_id(1), 1)).await, Ok(Hidden::Gone));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn reviews_are_purged_a_page_at_a_time_and_nothing_else_is() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.publish(&product(2, 7)).await;
    world.put_review(product_id(2), 0);
    for number in 0..250 {
        world.put_review(product_id(1), number);
    }
    let mut purged = Vec::new();
    for case in ["100 of 250 reviews", "100 of 150 reviews", "the last 50 reviews", "no review"] {
        let purge = world.table.purge_reviews(product_id(1));
        let Purged { deleted, more } = world.measure("purge_reviews", case, purge).await.unwrap();
        purged.push((deleted, more));
    }
    assert_eq!(purged, [(100, true), (100, true), (50, false), (0, false)]);
    assert_eq!(world.items().len(), 5 + 5 + 1);
}

/// The last page may be exactly full. Then `more` is true, and only the next, empty page reports the end.
#[tokio::test]
async fn a_last_page_that_is_full_may_have_another() {
    let world = World::new();
    for number in 0..100 {
        world.put_review(product_id(1), number);
    }
    let first = world.table.purge_reviews(product_id(1)).await;
    assert_eq!(first, Ok(Purged { deleted: 100, more: true }));
    let second = world.table.purge_reviews(product_id(1)).await;
    assert_eq!(second, Ok(Purged { deleted: 0, more: false }));
}

#[tokio::test]
async fn ten_thousand_reviews_go_page_by_page() {
    let world = World::new();
    for number in 0..10_000 {
        world.put_review(product_id(1), number);
    }
    let (mut pages, mut deleted) = (0, 0);
    loop {
        let purged = world.table.purge_reviews(product_id(1)).await.unwrap();
        pages += 1;
        deleted += purged.deleted;
        if !purged.more {
            break;
        }
    }
    assert_eq!((pages, deleted), (101, 10_000));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn reviews_are_looked_for_consistently() {
    let world = World::new();
    world.table.purge_reviews(product_id(1)).await.unwrap();
    assert_eq!(world.wire.take_sent()[0].body["ConsistentRead"], true);
}

#[tokio::test]
async fn a_purge_whose_answer_was_lost_deletes_the_same_reviews() {
    let world = World::new();
    for number in 0..10 {
        world.put_review(product_id(1), number);
    }
    world.wire.next("BatchWriteItem", [Fault::AnswerLost]);
    let purged = world.table.purge_reviews(product_id(1)).await;
    assert_eq!(purged, Ok(Purged { deleted: 10, more: false }));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn reviews_that_were_left_over_are_deleted_after_all() {
    let world = World::new();
    for number in 0..30 {
        world.put_review(product_id(1), number);
    }
    world.wire.next("BatchWriteItem", [Fault::LeftOver(20), Fault::LeftOver(5), Fault::LeftOver(25)]);
    let purged = world.table.purge_reviews(product_id(1)).await;
    assert_eq!(purged, Ok(Purged { deleted: 30, more: false }));
    assert_eq!(world.items().len(), 0);
}

/// The state machine retries the step, which then deletes the remaining reviews.
#[tokio::test]
async fn reviews_that_are_left_over_again_and_again_make_the_step_unavailable() {
    let world = World::new();
    for number in 0..30 {
        world.put_review(product_id(1), number);
    }
    world.wire.always("BatchWriteItem", Fault::LeftOver(5));
    let purged = world.table.purge_reviews(product_id(1)).await;
    assert!(is_unavailable(&purged), "{purged:?}");
    world.wire.heal();
    assert_eq!(world.table.purge_reviews(product_id(1)).await, Ok(Purged { deleted: 10, more: false }));
}

#[tokio::test]
async fn a_purged_product_leaves_nothing() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    let purge = world.table.purge_product(product_id(1), user_id(7));
    assert_eq!(world.measure("purge_product", "", purge).await, Ok(()));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn a_product_is_purged_once_and_stays_gone() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.publish(&product(2, 7)).await;
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.purge_product(product_id(1), user_id(7)).await, Ok(()));
    let again = world.table.purge_product(product_id(1), user_id(7));
    assert_eq!(world.measure("purge_product", "purged before", again).await, Ok(()));
    assert_eq!(world.items().len(), 5, "the other product stays");
}

#[tokio::test]
async fn a_product_that_is_not_hidden_is_not_purged() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let before = world.items();
    let purged = world.table.purge_product(product_id(1), user_id(7)).await;
    assert!(matches!(purged, Err(Error::Internal { .. })), "{purged:?}");
    assert_eq!(world.items(), before);
}

/// The steps of the state machine, with a review that is written between two of them.
#[tokio::test]
async fn a_review_that_slips_in_while_its_product_is_deleted_does_not_survive() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.put_review(product_id(1), 1);
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    world.table.purge_reviews(product_id(1)).await.unwrap();
    world.put_review(product_id(1), 2);
    world.table.purge_reviews(product_id(1)).await.unwrap();
    world.table.purge_product(product_id(1), user_id(7)).await.unwrap();
    assert_eq!(world.items().len(), 0);
}
