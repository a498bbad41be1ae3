//! Reservation and release of stock, and the attributes of the unsettled entries.

use crate::{
    is_unavailable,
    order_support::{
        CUSTOMER, SELLER, UNDONE, begin, confirm, entry, marks, order_id, payment, placed, placed_of_10,
        record, reserve, short, stock, stocked, stocked_10,
    },
};
use domain::{order::OrderRequest, stock::StockLevel};
use serde_json::json;
use table::{Afterwards, Closed, Epoch, keys};
use tests::{
    Fault, World,
    samples::{later, next_version, now, product_id, user_id, withdrawal},
};

async fn release(world: &World, request: &OrderRequest) {
    world.table.release_stock(request, Epoch::PLACEMENT, Afterwards::Unsettled, now()).await.unwrap();
}

#[tokio::test]
async fn the_stock_of_an_order_is_taken_once() {
    let world = World::new();
    let product = stocked(&world, 1, 3).await;
    let request = record(&world, &placed(1, &[(1, 2)])).await;
    let reserve = world.table.reserve_stock(&request, later(60));
    assert_eq!(world.measure("reserve_stock", "of one line", reserve).await, Ok(()));
    let left = StockLevel { stock: tests::samples::stock(1), version: 2, updated_at: later(60) };
    assert_eq!(world.table.stock(product_id(1)).await, Ok(left));
    assert_eq!(world.table.product(product_id(1)).await, Ok(product), "a sale leaves the product unchanged");
    assert_eq!(marks(&world, 1), ["reserved"]);
    assert_eq!(entry(&world, 1)["customerId"], json!({"S": user_id(CUSTOMER).to_string()}));
    let items = world.items();
    let again = world.table.reserve_stock(&request, later(61));
    assert_eq!(world.measure("reserve_stock", "reserved before", again).await, Ok(()));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn the_stock_of_all_lines_is_taken_at_once() {
    let world = World::new();
    stocked_10(&world, 3).await;
    let request = record(&world, &placed_of_10(1)).await;
    let reserve = world.table.reserve_stock(&request, now());
    assert_eq!(world.measure("reserve_stock", "of 10 lines", reserve).await, Ok(()));
    for number in 1..=10 {
        assert_eq!(stock(&world, number), Some(2));
    }
    let payment = payment(1);
    world.table.begin_payment(request.order_id, &payment).await.unwrap();
    let confirm = world.table.confirm_order(&request, &payment);
    assert_eq!(world.measure("confirm_order", "of 10 lines", confirm).await, Ok(()));
    let order = world.table.order(user_id(CUSTOMER), order_id(1)).await.unwrap();
    let cancel = world.table.cancel_order(order);
    world.measure("cancel_order", "of 10 lines", cancel).await.unwrap();
    let release = world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now());
    assert_eq!(world.measure("release_stock", "of 10 lines and settled", release).await, Ok(()));
    for number in 1..=10 {
        assert_eq!(stock(&world, number), Some(3));
    }
}

#[tokio::test]
async fn the_most_lines_fit_into_one_transaction() {
    let world = World::new();
    for number in 1..=50 {
        stocked(&world, number, 1).await;
    }
    let lines: Vec<(u32, i64)> = (1..=50).map(|number| (number, 1)).collect();
    let request = reserve(&world, &placed(1, &lines)).await;
    assert!((1..=50).all(|number| stock(&world, number) == Some(0)));
    release(&world, &request).await;
    assert!((1..=50).all(|number| stock(&world, number) == Some(1)));
}

#[tokio::test]
async fn an_order_takes_the_last_of_a_product_and_no_more() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let request = record(&world, &placed(1, &[(1, 4)])).await;
    let items = world.items();
    let reserve = world.table.reserve_stock(&request, now());
    let reserved = world.measure("reserve_stock", "out of stock", reserve).await;
    assert_eq!(reserved, Err(short(&[(1, 3)])));
    assert_eq!(world.items(), items);
    let request = record(&world, &placed(2, &[(1, 3)])).await;
    assert_eq!(world.table.reserve_stock(&request, now()).await, Ok(()));
    let request = record(&world, &placed(3, &[(1, 1)])).await;
    assert_eq!(world.table.reserve_stock(&request, now()).await, Err(short(&[(1, 0)])));
    assert_eq!(stock(&world, 1), Some(0));
}

#[tokio::test]
async fn every_line_that_is_short_is_named_and_nothing_is_taken() {
    let world = World::new();
    stocked_10(&world, 3).await;
    world.table.hide_product(withdrawal(product_id(3), 1)).await.unwrap();
    world.table.hide_product(withdrawal(product_id(4), 1)).await.unwrap();
    world.table.purge_product(product_id(4), user_id(SELLER)).await.unwrap();
    let lines = [(1, 3), (5, 4), (2, 1), (3, 1), (6, 9), (4, 1), (7, 3)];
    let request = record(&world, &placed(1, &lines)).await;
    let items = world.items();
    let reserved = world.table.reserve_stock(&request, now()).await;
    assert_eq!(reserved, Err(short(&[(5, 3), (3, 0), (6, 3), (4, 0)])), "in the order of the lines");
    assert_eq!(world.items(), items);
}

/// A repeated reservation succeeds even if the remaining stock would not suffice.
#[tokio::test]
async fn a_repeated_reservation_is_no_shortage() {
    let world = World::new();
    stocked(&world, 1, 2).await;
    let request = record(&world, &placed(1, &[(1, 2)])).await;
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.reserve_stock(&request, now()).await));
    world.wire.heal();
    assert_eq!(stock(&world, 1), Some(0));
    assert_eq!(world.table.reserve_stock(&request, now()).await, Ok(()));
    assert_eq!(stock(&world, 1), Some(0));
}

#[tokio::test]
async fn a_reservation_that_never_arrived_takes_no_stock() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let request = record(&world, &placed(1, &[(1, 2)])).await;
    let items = world.items();
    world.wire.always("TransactWriteItems", Fault::Unreachable);
    assert!(is_unavailable(&world.table.reserve_stock(&request, now()).await));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn stock_is_taken_and_given_back_once_whatever_is_lost_or_in_the_way() {
    let conflict = Fault::Cancelled(vec!["None", "TransactionConflict"]);
    let throttled = Fault::Cancelled(vec!["ThrottlingError", "None"]);
    for faults in [vec![Fault::AnswerLost], vec![conflict; 5], vec![throttled, Fault::AnswerLost]] {
        for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
            let world = World::new();
            stocked(&world, 1, 3).await;
            let request = record(&world, &placed(1, &[(1, 2)])).await;
            world.wire.next("TransactWriteItems", faults.clone());
            assert_eq!(world.table.reserve_stock(&request, now()).await, Ok(()));
            assert_eq!(stock(&world, 1), Some(1));
            world.wire.next("TransactWriteItems", faults.clone());
            assert_eq!(
                world.table.release_stock(&request, Epoch::PLACEMENT, afterwards, now()).await,
                Ok(())
            );
            assert_eq!(stock(&world, 1), Some(3));
            assert_eq!(entry(&world, 1).is_null(), afterwards == Afterwards::Settled);
        }
    }
}

#[tokio::test]
async fn a_product_that_others_are_always_in_the_way_of_is_unavailable() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let request = record(&world, &placed(1, &[(1, 2)])).await;
    world.wire.always("TransactWriteItems", Fault::Cancelled(vec!["None", "TransactionConflict"]));
    assert!(is_unavailable(&world.table.reserve_stock(&request, now()).await));
    world.wire.heal();
    assert_eq!(world.table.reserve_stock(&request, now()).await, Ok(()));
    world.wire.always("TransactWriteItems", Fault::Cancelled(vec!["None", "TransactionConflict"]));
    let released = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, now()).await;
    assert!(is_unavailable(&released));
    assert_eq!(marks(&world, 1), ["reserved"]);
}

#[tokio::test]
async fn stock_is_given_back_once_and_not_taken_again() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let request = reserve(&world, &placed(1, &[(1, 2)])).await;
    let release = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, later(60));
    assert_eq!(world.measure("release_stock", "of one line", release).await, Ok(()));
    let level = StockLevel { stock: tests::samples::stock(3), version: 3, updated_at: later(60) };
    assert_eq!(world.table.stock(product_id(1)).await, Ok(level));
    assert_eq!(marks(&world, 1), ["closed"]);
    let items = world.items();
    let again = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, later(61));
    assert_eq!(world.measure("release_stock", "released before", again).await, Ok(()));
    let late = world.table.reserve_stock(&request, now());
    assert_eq!(world.measure("reserve_stock", "closed", late).await, Err(UNDONE));
    assert_eq!(world.table.begin_payment(order_id(1), &payment(1)).await, Err(UNDONE));
    assert_eq!(world.items(), items);
    let settle = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Settled, now());
    assert_eq!(world.measure("release_stock", "released before and settled", settle).await, Ok(()));
    assert_eq!((stock(&world, 1), entry(&world, 1)), (Some(3), json!(null)));
    release_nothing(&world, &request).await;
}

/// Checks that a late release or reservation of an order without an entry changes nothing and creates no entry.
async fn release_nothing(world: &World, request: &OrderRequest) {
    let items = world.items();
    for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
        assert_eq!(world.table.release_stock(request, Epoch::PLACEMENT, afterwards, now()).await, Ok(()));
        assert_eq!(world.items(), items);
    }
    assert_eq!(world.table.reserve_stock(request, now()).await, Err(UNDONE));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn an_order_of_10_lines_gives_back_all() {
    let world = World::new();
    stocked_10(&world, 3).await;
    let request = reserve(&world, &placed_of_10(1)).await;
    let release = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, now());
    assert_eq!(world.measure("release_stock", "of 10 lines", release).await, Ok(()));
    assert!((1..=10).all(|number| stock(&world, number) == Some(3)));
}

/// The undo runs before the reservation, whose request is delayed.
#[tokio::test]
async fn an_undo_that_comes_first_keeps_out_the_reservation() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
        let request =
            record(&world, &placed(1 + u32::from(afterwards == Afterwards::Settled), &[(1, 2)])).await;
        assert_eq!(world.table.release_stock(&request, Epoch::PLACEMENT, afterwards, now()).await, Ok(()));
        assert_eq!(world.table.reserve_stock(&request, now()).await, Err(UNDONE));
        assert_eq!(world.table.begin_payment(request.order_id, &payment(1)).await, Err(UNDONE));
    }
    assert_eq!((marks(&world, 1), marks(&world, 2)), (vec!["closed".to_owned()], vec![]));
    assert_eq!(stock(&world, 1), Some(3));
    let request = record(&world, &placed(3, &[(1, 2)])).await;
    let release = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, now());
    assert_eq!(world.measure("release_stock", "nothing reserved", release).await, Ok(()));
}

#[tokio::test]
async fn a_release_skips_deleted_products() {
    let world = World::new();
    stocked_10(&world, 3).await;
    let request = reserve(&world, &placed_of_10(1)).await;
    for number in [1, 2, 10] {
        world.table.hide_product(withdrawal(product_id(number), 1)).await.unwrap();
    }
    for number in [2, 10] {
        world.table.purge_product(product_id(number), user_id(SELLER)).await.unwrap();
    }
    let release = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, now());
    let released = world.measure("release_stock", "of 10 lines of which two are gone", release).await;
    assert_eq!(released, Ok(()));
    let stocks: Vec<_> = (1..=10).map(|number| stock(&world, number)).collect();
    let mut expected = vec![Some(3); 10];
    (expected[1], expected[9]) = (None, None);
    assert_eq!(stocks, expected, "a hidden product is still there");
    for number in [2, 10] {
        assert_eq!(world.item(&keys::stock(product_id(number))), json!(null), "and nothing was made of it");
    }
}

#[tokio::test]
async fn an_order_all_of_whose_products_are_gone_is_released_too() {
    for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
        let world = World::new();
        stocked(&world, 1, 3).await;
        let request = reserve(&world, &placed(1, &[(1, 2)])).await;
        world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
        world.table.purge_product(product_id(1), user_id(SELLER)).await.unwrap();
        world.wire.next("TransactWriteItems", [Fault::AnswerLost, Fault::AnswerLost]);
        assert_eq!(world.table.release_stock(&request, Epoch::PLACEMENT, afterwards, now()).await, Ok(()));
        assert!(!marks(&world, 1).contains(&"reserved".to_owned()));
        assert_eq!(stock(&world, 1), None);
    }
}

#[tokio::test]
async fn a_confirmed_order_gives_nothing_back() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let items = world.items();
    let request = order.request();
    let late = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Unsettled, now());
    assert_eq!(world.measure("release_stock", "confirmed", late).await, Ok(()));
    let late = world.table.release_stock(&request, Epoch::PLACEMENT, Afterwards::Settled, now()).await;
    assert_eq!(late, Ok(()));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn a_payment_is_known_before_it_holds_money() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let request = reserve(&world, &placed(1, &[(1, 2)])).await;
    let payment = payment(1);
    let begin = world.table.begin_payment(order_id(1), &payment);
    assert_eq!(world.measure("begin_payment", "", begin).await, Ok(()));
    assert_eq!(entry(&world, 1)["payment"], json!({"S": payment}));
    let items = world.items();
    assert_eq!(world.table.begin_payment(order_id(1), &payment).await, Ok(()));
    world.wire.always("UpdateItem", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.begin_payment(order_id(1), &payment).await));
    world.wire.heal();
    assert_eq!(world.items(), items);

    let close = world.table.close_payment(order_id(1), Epoch::PLACEMENT);
    let closed = world.measure("close_payment", "", close).await;
    assert_eq!(closed, Ok(Closed::Payment(Some(payment.clone()))));
    assert_eq!(marks(&world, 1), ["closed", "payment", "reserved"]);
    let items = world.items();
    let other = self::payment(2);
    let late = world.table.begin_payment(order_id(1), &other);
    assert_eq!(world.measure("begin_payment", "closed", late).await, Err(UNDONE));
    world.wire.always("UpdateItem", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.close_payment(order_id(1), Epoch::PLACEMENT).await));
    world.wire.heal();
    let again = world.table.close_payment(order_id(1), Epoch::PLACEMENT).await;
    assert_eq!(again, Ok(Closed::Payment(Some(payment.clone()))));
    assert_eq!(world.items(), items);
    release(&world, &request).await;
    let again = world.table.close_payment(order_id(1), Epoch::PLACEMENT).await;
    assert_eq!(again, Ok(Closed::Payment(Some(payment))), "it is told as long as there is an entry");
}

#[tokio::test]
async fn no_payment_is_begun_without_stock() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    record(&world, &placed(1, &[(1, 2)])).await;
    assert_eq!(world.table.begin_payment(order_id(1), &payment(1)).await, Err(UNDONE));
    assert_eq!(world.table.begin_payment(order_id(2), &payment(1)).await, Err(UNDONE), "nobody's");
    assert_eq!(world.table.close_payment(order_id(1), Epoch::PLACEMENT).await, Ok(Closed::Payment(None)));
    let close = world.table.close_payment(order_id(2), Epoch::PLACEMENT);
    let closed = world.measure("close_payment", "settled", close).await;
    assert_eq!(closed, Ok(Closed::Settled));
    assert_eq!(entry(&world, 2), json!(null));
}

#[tokio::test]
async fn a_confirmed_order_is_not_undone() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let items = world.items();
    let close = world.table.close_payment(order_id(1), Epoch::PLACEMENT);
    assert_eq!(world.measure("close_payment", "confirmed", close).await, Ok(Closed::Confirmed));
    assert_eq!(world.items(), items);
    world.table.cancel_order(order).await.unwrap();
    let closed = world.table.close_payment(order_id(1), Epoch::CANCELLATION).await;
    assert_eq!(closed, Ok(Closed::Payment(Some(payment(1)))), "until it is cancelled");
}

#[tokio::test]
async fn an_order_whose_money_was_taken_is_settled() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let settle = world.table.settle_paid(order_id(1));
    assert_eq!(world.measure("settle_paid", "", settle).await, Ok(()));
    assert_eq!((stock(&world, 1), entry(&world, 1)), (Some(1), json!(null)));
    let again = world.table.settle_paid(order_id(1));
    assert_eq!(world.measure("settle_paid", "settled before", again).await, Ok(()));
    let items = world.items();
    for operation in ["DeleteItem", "UpdateItem", "TransactWriteItems"] {
        world.wire.next(operation, [Fault::AnswerLost]);
    }
    assert_eq!(world.table.settle_paid(order_id(1)).await, Ok(()));
    assert_eq!(world.table.close_payment(order_id(1), Epoch::PLACEMENT).await, Ok(Closed::Settled));
    release_nothing(&world, &order.request()).await;
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn only_giving_back_settles_a_cancelled_order() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let request = order.request();
    world.table.cancel_order(order).await.unwrap();
    let items = world.items();
    let settle = world.table.settle_paid(order_id(1));
    assert_eq!(world.measure("settle_paid", "cancelled", settle).await, Ok(()));
    assert_eq!(world.items(), items);
    let release = world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now());
    assert_eq!(world.measure("release_stock", "of one line and settled", release).await, Ok(()));
    assert_eq!((stock(&world, 1), entry(&world, 1)), (Some(3), json!(null)));
    release_nothing(&world, &request).await;
}

/// A capture before the confirmation is a programming error, and must not lose the stock.
#[tokio::test]
async fn a_capture_does_not_settle_an_unconfirmed_order() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    begin(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let items = world.items();
    assert_eq!(world.table.settle_paid(order_id(1)).await, Ok(()));
    assert_eq!(world.items(), items);
}

/// What a seller writes is the product's version that follows the one read, whatever was sold in between.
#[tokio::test]
async fn a_sellers_change_and_a_sale_do_not_hinder_each_other() {
    let world = World::new();
    let first = stocked(&world, 1, 3).await;
    reserve(&world, &placed(1, &[(1, 2)])).await;
    let next = next_version(&first);
    assert_eq!(
        world.table.replace_product(&next, &next.draft.category, table::Writer([1; 16])).await,
        Ok(())
    );
    assert_eq!(stock(&world, 1), Some(1));
    reserve(&world, &placed(2, &[(1, 1)])).await;
    let listed = world.table.listed_product(product_id(1)).await.unwrap();
    assert_eq!((listed.product, listed.stock.get(), listed.stock_version), (next, 0, 3));
}
