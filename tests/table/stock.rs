//! The stock of a product: the seller's changes of it.

use crate::{hold, is_unavailable, together};
use domain::{
    Error, Timestamp,
    stock::{HIGHEST_STOCK, Stock, StockChange, StockLevel},
};
use serde_json::{Value, json};
use std::sync::Arc;
use table::{Recorded, keys};
use tests::{
    Fault, World,
    samples::{later, next_version, now, once, product, product_id, stock, user_id, withdrawal},
};

const NO_PRODUCT: Error = Error::NotFound { what: "product" };
const SELLER: u32 = 7;
const DAY: u64 = 24 * 60 * 60;

/// A table with product 1, of which there are three.
async fn shop() -> World {
    let world = World::new();
    world.publish(&product(1, SELLER)).await;
    world
}

/// The seller's change of product 1, with this key and body.
async fn change(
    world: &World,
    change: StockChange,
    key: Option<(&str, u8)>,
    at: Timestamp,
) -> Result<Recorded<domain::id::ProductId>, Error> {
    let key = key.map(|(key, body)| once(key, body));
    world.table.change_stock(product_id(1), user_id(SELLER), change, key.as_ref(), at).await
}

fn left(world: &World) -> Value {
    world.item(&keys::stock(product_id(1)))["stock"]["N"].clone()
}

#[tokio::test]
async fn a_stock_that_is_set_is_what_was_counted() {
    let world = shop().await;
    let set = change(&world, StockChange::Set(stock(12)), None, later(60));
    assert_eq!(world.measure("change_stock", "set without a key", set).await, Ok(Recorded::Now));
    let level = StockLevel { stock: stock(12), version: 2, updated_at: later(60) };
    assert_eq!(world.measure("stock", "", world.table.stock(product_id(1))).await, Ok(level));
    assert_eq!(world.table.product(product_id(1)).await, Ok(product(1, SELLER)), "the product is as it was");
    let page = world.table.product_page(product_id(1), 10).await.unwrap();
    assert_eq!((page.listed.stock, page.listed.version().stock), (stock(12), 2));
}

#[tokio::test]
async fn a_delta_is_added_once_for_each_key() {
    let world = shop().await;
    let add = change(&world, StockChange::Add(5), Some(("k", 1)), now());
    assert_eq!(world.measure("change_stock", "with a key", add).await, Ok(Recorded::Now));
    let items = world.items();
    let again = change(&world, StockChange::Add(5), Some(("k", 1)), later(9));
    let again = world.measure("change_stock", "with a key used before", again).await;
    assert_eq!(again, Ok(Recorded::Before(product_id(1))));
    assert_eq!(change(&world, StockChange::Add(6), Some(("k", 2)), later(9)).await, Err(Error::KeyReused));
    assert_eq!((world.items(), left(&world)), (items, json!("8")));
    assert_eq!(change(&world, StockChange::Add(-8), Some(("l", 1)), now()).await, Ok(Recorded::Now));
    assert_eq!(left(&world), "0");
    let after_a_day = change(&world, StockChange::Add(5), Some(("k", 1)), later(DAY + 1)).await;
    assert_eq!((after_a_day, left(&world)), (Ok(Recorded::Now), json!("5")));
}

/// The retry comes when the change would not be possible a second time.
#[tokio::test]
async fn a_repeated_removal_of_the_last_units_is_recognised() {
    let world = shop().await;
    for expected in [Recorded::Now, Recorded::Before(product_id(1))] {
        assert_eq!(change(&world, StockChange::Add(-3), Some(("k", 1)), now()).await, Ok(expected));
        assert_eq!(left(&world), "0");
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_product() {
    let world = shop().await;
    world.publish(&product(2, SELLER)).await;
    change(&world, StockChange::Add(1), Some(("k", 1)), now()).await.unwrap();
    let (add, key) = (StockChange::Add(1), once("k", 1));
    let other = world.table.change_stock(product_id(2), user_id(SELLER), add, Some(&key), now()).await;
    assert_eq!(other, Err(Error::KeyReused));
    assert_eq!(world.table.stock(product_id(2)).await.unwrap().stock, stock(3));
}

#[tokio::test]
async fn a_delta_that_leaves_too_little_or_too_much_writes_nothing() {
    let world = shop().await;
    let items = world.items();
    for (units, key) in [(-4, "a"), (-HIGHEST_STOCK, "b"), (HIGHEST_STOCK - 2, "c"), (HIGHEST_STOCK, "d")] {
        let refused = change(&world, StockChange::Add(units), Some((key, 1)), now());
        let refused = world.measure("change_stock", "out of bounds", refused).await;
        assert_eq!(refused, Err(Error::StockOutOfBounds { available: 3 }), "{units}");
    }
    assert_eq!(world.items(), items);
    change(&world, StockChange::Add(HIGHEST_STOCK - 3), Some(("e", 1)), now()).await.unwrap();
    assert_eq!(left(&world), HIGHEST_STOCK.to_string());
    change(&world, StockChange::Add(-HIGHEST_STOCK), Some(("f", 1)), now()).await.unwrap();
    assert_eq!(world.table.stock(product_id(1)).await.unwrap().stock.get(), 0);
}

/// The SDK repeats a request whose answer was lost, and another change comes in between.
#[tokio::test]
async fn a_change_whose_answer_was_lost_is_made_once() {
    let world = shop().await;
    world.wire.next("TransactWriteItems", [Fault::AnswerLost, Fault::AnswerLost]);
    assert_eq!(change(&world, StockChange::Add(5), Some(("k", 1)), now()).await, Ok(Recorded::Now));
    assert_eq!(left(&world), "8");
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(change(&world, StockChange::Set(stock(4)), None, now()).await, Ok(Recorded::Now));
    let level = world.table.stock(product_id(1)).await.unwrap();
    assert_eq!((level.stock, level.version), (stock(4), 3));
}

#[tokio::test]
async fn a_change_that_never_arrived_changes_nothing() {
    let world = shop().await;
    let items = world.items();
    world.wire.always("TransactWriteItems", Fault::Unreachable);
    let changed = change(&world, StockChange::Add(5), Some(("k", 1)), now()).await;
    assert!(is_unavailable(&changed), "{changed:?}");
    world.wire.heal();
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn the_stock_of_a_product_that_is_not_there_or_hidden_is_not_found_and_not_made() {
    let world = World::new();
    assert_eq!(world.table.stock(product_id(1)).await, Err(NO_PRODUCT));
    assert_eq!(change(&world, StockChange::Set(stock(1)), None, now()).await, Err(NO_PRODUCT));
    assert_eq!(world.items().len(), 0);
    world.publish(&product(1, SELLER)).await;
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    let items = world.items();
    assert_eq!(world.table.stock(product_id(1)).await, Err(NO_PRODUCT));
    for by in [StockChange::Set(stock(1)), StockChange::Add(1), StockChange::Add(-9)] {
        assert_eq!(change(&world, by, Some(("k", 1)), now()).await, Err(NO_PRODUCT));
    }
    assert_eq!(world.items(), items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_deltas_at_the_same_instant_both_count() {
    for round in 0..25 {
        let world = Arc::new(shop().await);
        hold(&world, "TransactWriteItems", 2);
        let changed = together(&world, 2, async |world, number| {
            change(&world, StockChange::Add(10), Some((&number.to_string(), 1)), now()).await
        })
        .await;
        assert_eq!(changed, [Ok(Recorded::Now), Ok(Recorded::Now)], "{round}");
        assert_eq!(left(&world), "23");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_requests_with_one_key_at_the_same_instant_one_counts() {
    for round in 0..25 {
        let world = Arc::new(shop().await);
        hold(&world, "TransactWriteItems", 2);
        let changed = together(&world, 2, async |world, _| {
            change(&world, StockChange::Add(10), Some(("k", 1)), now()).await
        })
        .await;
        let now = changed.iter().filter(|changed| **changed == Ok(Recorded::Now)).count();
        assert_eq!((now, left(&world)), (1, json!("13")), "{round}: {changed:?}");
    }
}

#[tokio::test]
async fn a_product_and_its_stock_are_replaced_together_or_not_at_all() {
    let world = shop().await;
    let next = next_version(&product(1, SELLER));
    let writer = table::Writer([1; 16]);
    let replace = world.table.replace_product_and_stock(&next, &next.draft.category, stock(9), writer);
    assert_eq!(world.measure("replace_product_and_stock", "", replace).await, Ok(()));
    let listed = world.table.listed_product(product_id(1)).await.unwrap();
    assert_eq!((&listed.product, listed.stock, listed.stock_version), (&next, stock(9), 2));
    let items = world.items();
    let stale =
        world.table.replace_product_and_stock(&next, &next.draft.category, stock(5), table::Writer([2; 16]));
    let stale = world.measure("replace_product_and_stock", "stale", stale).await;
    assert_eq!(stale, Err(Error::Stale { current: 2 }));
    assert_eq!(world.items(), items);
    world.table.hide_product(withdrawal(product_id(1), 2)).await.unwrap();
    let after = next_version(&next);
    assert_eq!(
        world
            .table
            .replace_product_and_stock(&after, &after.draft.category, stock(5), table::Writer([3; 16]))
            .await,
        Err(NO_PRODUCT)
    );
}

#[tokio::test]
async fn a_replacement_whose_answer_was_lost_has_succeeded() {
    let world = shop().await;
    let next = next_version(&product(1, SELLER));
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(
        world
            .table
            .replace_product_and_stock(&next, &next.draft.category, stock(9), table::Writer([1; 16]))
            .await,
        Ok(())
    );
    let level: Stock = world.table.stock(product_id(1)).await.unwrap().stock;
    assert_eq!(level, stock(9));
}
