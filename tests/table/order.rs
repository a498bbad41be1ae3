//! Orders: placement, confirmation, rejection and cancellation.

use crate::{
    hold, is_unavailable,
    order_support::{
        CUSTOMER, NO_ORDER, SELLER, UNDONE, begin, confirm, declined, entry, in_status, marks, order_id,
        payment, placed, placed_by, placed_of_10, price, record, reserve, status, stock, stocked, stocked_10,
        undo, written,
    },
    together,
};
use domain::{
    Error,
    idempotency::{Idempotency, KEY_SECONDS},
    order::{OrderStatus, PlacedOrder},
    rejection::{RejectionReason, Shortage},
    saga::FailedStep,
};
use serde_json::json;
use std::{ops::RangeInclusive, sync::Arc};
use table::{Afterwards, Epoch, Recorded, keys};
use tests::{
    Fault, World,
    samples::{later, now, once, product_id, user_id, withdrawal},
};

#[tokio::test]
async fn products_are_read_as_they_are_now_and_hidden_ones_are_not() {
    let world = World::new();
    stocked_10(&world, 3).await;
    let ids = |numbers: RangeInclusive<u32>| numbers.map(product_id).collect::<Vec<_>>();
    let (one, ten) = (ids(1..=1), ids(1..=10));
    let read = world.table.products(&one);
    assert_eq!(world.measure("products", "one", read).await.unwrap().len(), 1);
    let read = world.table.products(&ten);
    assert_eq!(world.measure("products", "ten", read).await.unwrap().len(), 10);
    for number in [2, 3] {
        world.table.hide_product(withdrawal(product_id(number), 1)).await.unwrap();
    }
    world.table.purge_product(product_id(3), user_id(SELLER)).await.unwrap();
    let found = world.table.products(&ids(1..=4)).await.unwrap();
    let mut found: Vec<_> = found.into_iter().map(|(id, product)| (id, product.product_id)).collect();
    found.sort();
    assert_eq!(found, [1, 4].map(|number| (product_id(number), product_id(number))));
}

#[tokio::test]
async fn an_order_is_remembered_with_all_that_it_takes() {
    let world = World::new();
    let (placed, key) = (placed(1, &[(1, 2)]), once("k", 1));
    let record = world.table.record_order(&placed, &key);
    assert_eq!(world.measure("record_order", "of one line", record).await, Ok(Recorded::Now));
    let id = order_id(1).to_string();
    let customer = user_id(CUSTOMER).to_string();
    let order = json!({
        "pk": {"S": format!("USER#{customer}")}, "sk": {"S": format!("ORDER#{id}")},
        "orderId": {"S": id}, "customerId": {"S": customer}, "status": {"S": "pending"}, "version": {"N": "1"},
        "lines": {"L": [{"M": {
            "productId": {"S": product_id(1).to_string()}, "name": {"S": "Jam 1"}, "quantity": {"N": "2"},
            "unitPrice": {"M": {"amount": {"N": "650"}, "currency": {"S": "SGD"}}},
            "lineTotal": {"M": {"amount": {"N": "1300"}, "currency": {"S": "SGD"}}},
        }}]},
        "total": {"M": {"amount": {"N": "1300"}, "currency": {"S": "SGD"}}},
        "paymentMethod": {"S": "pm_1SVfXnEjUtQc7b1q0aBcDeFg"}, "createdAt": {"S": "2025-11-20T17:30:28.040Z"},
    });
    assert_eq!(placed.order.total, price(2));
    assert_eq!(world.item(&keys::order(user_id(CUSTOMER), order_id(1))), order);
    assert_eq!(order, written(&placed));
    let unsettled = json!({
        "pk": {"S": "UNSETTLED#1"}, "sk": {"S": id}, "customerId": {"S": customer}, "epoch": {"N": "0"},
    });
    assert_eq!(entry(&world, 1), unsettled);
    let record = json!({
        "pk": {"S": format!("USER#{customer}")}, "sk": {"S": "IDEMPOTENCY#order-place#k"},
        "fingerprint": {"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},
        "id": {"S": id}, "ttl": {"N": "1763746228"},
    });
    assert_eq!(world.item(&keys::idempotency(user_id(CUSTOMER), "order-place", "k")), record);
    assert_eq!(world.items().len(), 3);
    let read = world.table.order(user_id(CUSTOMER), order_id(1));
    assert_eq!(world.measure("order", "", read).await, Ok(placed));
}

#[tokio::test]
async fn an_order_of_many_lines_costs_little_more() {
    let world = World::new();
    let (placed, key) = (placed_of_10(1), once("k", 1));
    let record = world.table.record_order(&placed, &key);
    assert_eq!(world.measure("record_order", "of 10 lines", record).await, Ok(Recorded::Now));
    let read = world.table.order(user_id(CUSTOMER), order_id(1));
    assert_eq!(world.measure("order", "of 10 lines", read).await, Ok(placed));
    let most: Vec<(u32, i64)> = (1..=50).map(|number| (number, 1)).collect();
    let most = self::placed(2, &most);
    assert_eq!(world.table.record_order(&most, &once("l", 1)).await, Ok(Recorded::Now));
    assert_eq!(world.table.order(user_id(CUSTOMER), order_id(2)).await, Ok(most));
}

#[tokio::test]
async fn an_order_is_its_customers_alone() {
    let world = World::new();
    record(&world, &placed(1, &[(1, 1)])).await;
    let others = world.table.order(user_id(6), order_id(1));
    assert_eq!(world.measure("order", "not there", others).await, Err(NO_ORDER));
    assert_eq!(world.table.order(user_id(CUSTOMER), order_id(2)).await, Err(NO_ORDER));
}

#[tokio::test]
async fn the_same_order_again_is_the_one_before() {
    let world = World::new();
    let (user, key) = (user_id(CUSTOMER), once("k", 1));
    let before = world.table.order_recorded_before(user, &key, now());
    assert_eq!(world.measure("order_recorded_before", "", before).await, Ok(None));
    world.table.record_order(&placed(1, &[(1, 1)]), &key).await.unwrap();
    let items = world.items();
    assert_eq!(world.table.order_recorded_before(user, &key, now()).await, Ok(Some(order_id(1))));
    let again = placed(2, &[(1, 1)]);
    let record = world.table.record_order(&again, &key);
    let recorded = world.measure("record_order", "recorded before", record).await;
    assert_eq!(recorded, Ok(Recorded::Before(order_id(1))));
    assert_eq!(world.items(), items, "neither an order nor an entry was added");
}

#[tokio::test]
async fn another_order_with_the_same_key_is_refused_and_changes_nothing() {
    let world = World::new();
    let other = once("k", 2);
    world.table.record_order(&placed(1, &[(1, 1)]), &once("k", 1)).await.unwrap();
    let items = world.items();
    let before = world.table.order_recorded_before(user_id(CUSTOMER), &other, now()).await;
    assert_eq!(before, Err(Error::KeyReused));
    assert_eq!(world.table.record_order(&placed(2, &[(1, 1)]), &other).await, Err(Error::KeyReused));
    assert_eq!(world.items(), items);
    let by_another = world.table.record_order(&placed_by(6, 3, &[(1, 1)]), &other).await;
    assert_eq!(by_another, Ok(Recorded::Now), "a key belongs to its user");
    let concert = world.table.concert_recorded_before(user_id(CUSTOMER), &other, now()).await;
    assert_eq!(concert, Ok(None), "and to one kind of request");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_its_order_is_not() {
    let world = World::new();
    let record = async |number, seconds, key: &Idempotency| {
        let mut placed = placed(number, &[(1, 1)]);
        placed.order.created_at = later(seconds);
        world.table.record_order(&placed, key).await
    };
    let before = async |seconds, key: &Idempotency| {
        world.table.order_recorded_before(user_id(CUSTOMER), key, later(seconds)).await.unwrap()
    };
    let day = KEY_SECONDS;
    assert_eq!(record(1, 0, &once("k", 1)).await, Ok(Recorded::Now));
    assert_eq!(before(day, &once("k", 1)).await, Some(order_id(1)), "the last second counts");
    assert_eq!(record(2, day, &once("k", 1)).await, Ok(Recorded::Before(order_id(1))));
    assert_eq!(before(day + 1, &once("k", 2)).await, None);
    assert_eq!(record(3, day + 1, &once("k", 2)).await, Ok(Recorded::Now));
    assert_eq!(before(day + 1, &once("k", 2)).await, Some(order_id(3)));
    assert!(world.table.order(user_id(CUSTOMER), order_id(1)).await.is_ok());
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_recorded_once() {
    let world = World::new();
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    let recorded = world.table.record_order(&placed(1, &[(1, 1)]), &once("k", 1)).await;
    assert_eq!(recorded, Ok(Recorded::Now));
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    let lost = world.table.record_order(&placed(2, &[(1, 1)]), &once("l", 1)).await;
    assert!(is_unavailable(&lost), "{lost:?}");
    world.wire.heal();
    let again = world.table.record_order(&placed(3, &[(1, 1)]), &once("l", 1)).await;
    assert_eq!(again, Ok(Recorded::Before(order_id(2))));
    assert_eq!(world.items().len(), 6, "two orders, each with an entry and a key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_20_concurrent_orders_with_one_key_is_recorded() {
    let world = Arc::new(World::new());
    hold(&world, "TransactWriteItems", 20);
    let recorded = together(&world, 20, async |world, number| {
        world.table.record_order(&placed(number, &[(1, 1)]), &once("k", 1)).await.unwrap()
    })
    .await;
    let winner = recorded.iter().position(|recorded| *recorded == Recorded::Now).unwrap();
    let winner = order_id(u32::try_from(winner).unwrap());
    let others = recorded.iter().filter(|recorded| **recorded == Recorded::Before(winner));
    assert_eq!(others.count(), 19);
    assert_eq!(world.items().len(), 3);
}

#[tokio::test]
async fn an_order_is_confirmed_with_its_payment_and_once() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let (order, payment) = (placed(1, &[(1, 2)]), payment(1));
    let request = begin(&world, &order, &payment).await;
    let confirm = world.table.confirm_order(&request, &payment);
    assert_eq!(world.measure("confirm_order", "of one line", confirm).await, Ok(()));
    let confirmed = in_status(order, OrderStatus::Confirmed);
    assert_eq!(world.table.order(user_id(CUSTOMER), order_id(1)).await, Ok(confirmed));
    assert_eq!(marks(&world, 1), ["confirmed", "payment", "reserved"]);
    let items = world.items();
    let again = world.table.confirm_order(&request, &payment);
    assert_eq!(world.measure("confirm_order", "confirmed before", again).await, Ok(()));
    assert_eq!(world.items(), items);
    world.table.settle_paid(request.order_id).await.unwrap();
    assert_eq!(world.table.confirm_order(&request, &payment).await, Ok(()), "long after");
    assert_eq!(entry(&world, 1), json!(null), "and that brings no entry back");
}

#[tokio::test]
async fn an_order_without_its_stock_or_with_another_payment_is_not_confirmed() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let (order, payment) = (placed(1, &[(1, 2)]), payment(1));
    let request = record(&world, &order).await;
    assert_eq!(world.table.confirm_order(&request, &payment).await, Err(UNDONE));
    world.table.reserve_stock(&request, now()).await.unwrap();
    assert_eq!(world.table.confirm_order(&request, &payment).await, Err(UNDONE));
    world.table.begin_payment(request.order_id, &payment).await.unwrap();
    let other = self::payment(2);
    assert_eq!(world.table.confirm_order(&request, &other).await, Err(UNDONE));
    assert_eq!(status(&world, &order).await, OrderStatus::Pending);
    assert_eq!(marks(&world, 1), ["payment", "reserved"]);
    let nobodys = placed(2, &[(1, 1)]).request();
    assert_eq!(world.table.confirm_order(&nobodys, &payment).await, Err(NO_ORDER));
}

#[tokio::test]
async fn an_order_whose_undo_has_begun_is_not_confirmed() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let (order, payment) = (placed(1, &[(1, 2)]), payment(1));
    let request = begin(&world, &order, &payment).await;
    world.table.close_payment(request.order_id, Epoch::PLACEMENT).await.unwrap();
    let late = world.table.confirm_order(&request, &payment);
    assert_eq!(world.measure("confirm_order", "closed", late).await, Err(UNDONE));
    undo(&world, &request).await;
    let rejected = Error::Conflict { detail: "The order is rejected." };
    assert_eq!(world.table.confirm_order(&request, &payment).await, Err(rejected));
    assert_eq!(status(&world, &order).await, OrderStatus::Rejected);
    assert_eq!((stock(&world, 1), entry(&world, 1)), (Some(3), json!(null)));
}

#[tokio::test]
async fn a_confirmation_survives_lost_answers_and_conflicts() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let conflict = Fault::Cancelled(vec!["None", "TransactionConflict"]);
    for (number, faults) in [(1, vec![Fault::AnswerLost]), (2, vec![conflict; 5])] {
        let request = begin(&world, &placed(number, &[(1, 1)]), &payment(1)).await;
        world.wire.next("TransactWriteItems", faults);
        assert_eq!(world.table.confirm_order(&request, &payment(1)).await, Ok(()));
    }
    let order = placed(3, &[(1, 1)]);
    let request = begin(&world, &order, &payment(1)).await;
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.confirm_order(&request, &payment(1)).await));
    world.wire.heal();
    assert_eq!(world.table.confirm_order(&request, &payment(1)).await, Ok(()));
    let confirmed = in_status(order, OrderStatus::Confirmed);
    assert_eq!(world.table.order(user_id(CUSTOMER), order_id(3)).await, Ok(confirmed));
}

#[tokio::test]
async fn an_order_is_rejected_with_its_reason_and_settled() {
    let world = World::new();
    let failed = FailedStep { step: "stock-reserve".into(), detail: "it took too long".into() };
    let out_of_stock =
        RejectionReason::OutOfStock { lines: vec![Shortage { product_id: product_id(1), available: 0 }] };
    let reasons = [
        (
            out_of_stock,
            json!({"code": "outOfStock", "lines": [{"productId": product_id(1), "available": 0}]}),
        ),
        (declined(), json!({"code": "paymentDeclined", "detail": "Your card was declined."})),
        (
            RejectionReason::Failed(failed),
            json!({"code": "failed", "step": "stock-reserve", "detail": "it took too long"}),
        ),
    ];
    for (number, (reason, shown)) in (1..).zip(reasons) {
        let order = placed(number, &[(1, 2)]);
        let request = record(&world, &order).await;
        let reject = world.table.reject_order(&request, &reason);
        assert_eq!(world.measure("reject_order", "of one line", reject).await, Ok(()));
        let mut rejected = in_status(order, OrderStatus::Rejected);
        rejected.order.reason = Some(reason.clone());
        let stored = world.table.order(user_id(CUSTOMER), order_id(number)).await.unwrap();
        assert_eq!(serde_json::to_value(&stored.order).unwrap()["reason"], shown);
        assert_eq!(stored, rejected);
        assert_eq!(entry(&world, number), json!(null));
        let items = world.items();
        let other = declined();
        let again = world.table.reject_order(&request, &other);
        assert_eq!(world.measure("reject_order", "rejected before", again).await, Ok(()));
        assert_eq!(world.items(), items, "the first reason stays");
        assert_eq!(world.table.reserve_stock(&request, now()).await, Err(UNDONE), "it is too late for that");
    }
}

#[tokio::test]
async fn a_rejection_survives_lost_answers() {
    let world = World::new();
    for (number, operations) in (1..).zip([["UpdateItem", "UpdateItem"], ["DeleteItem", "UpdateItem"]]) {
        let request = record(&world, &placed(number, &[(1, 2)])).await;
        world.wire.always(operations[0], Fault::AnswerLost);
        world.wire.next(operations[1], [Fault::AnswerLost]);
        assert!(is_unavailable(&world.table.reject_order(&request, &declined()).await));
        world.wire.heal();
        assert_eq!(world.table.reject_order(&request, &declined()).await, Ok(()));
        let mut rejected = in_status(placed(number, &[(1, 2)]), OrderStatus::Rejected);
        rejected.order.reason = Some(declined());
        assert_eq!(world.table.order(user_id(CUSTOMER), order_id(number)).await, Ok(rejected));
        assert_eq!(entry(&world, number), json!(null));
    }
}

#[tokio::test]
async fn an_order_with_another_final_status_is_not_rejected() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let confirmed = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let items = world.items();
    let (late, reason) = (confirmed.request(), declined());
    let reject = world.table.reject_order(&late, &reason);
    assert_eq!(world.measure("reject_order", "confirmed", reject).await, Ok(()));
    assert_eq!(world.items(), items, "its entry stays too: the money is not taken yet");
    world.table.cancel_order(confirmed.clone()).await.unwrap();
    let items = world.items();
    assert_eq!(world.table.reject_order(&confirmed.request(), &declined()).await, Ok(()));
    assert_eq!(world.items(), items);
}

/// A rejection before the release of the stock leaves the unsettled entry, so that the release can find it.
#[tokio::test]
async fn a_rejected_order_that_holds_stock_stays_unsettled() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let request = reserve(&world, &placed(1, &[(1, 2)])).await;
    world.table.reject_order(&request, &declined()).await.unwrap();
    assert_eq!((stock(&world, 1), marks(&world, 1)), (Some(7), vec!["reserved".to_owned()]));
    undo(&world, &request).await;
    assert_eq!((stock(&world, 1), entry(&world, 1)), (Some(9), json!(null)));
}

#[tokio::test]
async fn a_confirmed_order_is_cancelled_and_unsettled() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    for (number, settled) in [(1, false), (2, true)] {
        let order = confirm(&world, &placed(number, &[(1, 2)]), &payment(1)).await;
        if settled {
            world.table.settle_paid(order_id(number)).await.unwrap();
        }
        let held = stock(&world, 1);
        let cancelled = in_status(order.clone(), OrderStatus::Cancelled);
        let cancel = world.table.cancel_order(order.clone());
        let shown = world.measure("cancel_order", "of one line", cancel).await;
        assert_eq!(shown.as_ref(), Ok(&cancelled));
        assert_eq!(world.table.order(user_id(CUSTOMER), order_id(number)).await.as_ref(), Ok(&cancelled));
        assert_eq!(marks(&world, number), ["closed", "payment", "reserved"]);
        assert_eq!(entry(&world, number)["payment"], json!({"S": payment(1)}));
        assert_eq!(stock(&world, 1), held, "that comes later");
        let items = world.items();
        let again = world.table.cancel_order(order);
        let shown = world.measure("cancel_order", "cancelled before", again).await;
        assert_eq!(shown, Ok(cancelled));
        assert_eq!(world.items(), items);
    }
}

#[tokio::test]
async fn a_cancellation_survives_lost_answers_and_conflicts() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let conflict = Fault::Cancelled(vec!["TransactionConflict", "None"]);
    for (number, faults) in [(1, vec![Fault::AnswerLost]), (2, vec![conflict; 5])] {
        let order = confirm(&world, &placed(number, &[(1, 1)]), &payment(1)).await;
        world.wire.next("TransactWriteItems", faults);
        let cancelled = in_status(order.clone(), OrderStatus::Cancelled);
        assert_eq!(world.table.cancel_order(order).await, Ok(cancelled));
    }
    let order = confirm(&world, &placed(3, &[(1, 1)]), &payment(1)).await;
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.cancel_order(order.clone()).await));
    world.wire.heal();
    let cancelled = in_status(order.clone(), OrderStatus::Cancelled);
    assert_eq!(world.table.cancel_order(order).await, Ok(cancelled));
}

/// Late steps have no effect, and the unsettled entry is not created again after its deletion.
#[tokio::test]
async fn late_steps_do_not_change_a_cancelled_order() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let request = order.request();
    world.table.cancel_order(order.clone()).await.unwrap();
    for settled in [false, true] {
        if settled {
            world
                .table
                .release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now())
                .await
                .unwrap();
        }
        let items = world.items();
        assert_eq!(world.table.confirm_order(&request, &payment(1)).await, Ok(()));
        assert_eq!(world.table.settle_paid(request.order_id).await, Ok(()));
        assert_eq!(world.table.begin_payment(request.order_id, &payment(2)).await, Err(UNDONE));
        let reserve = world.table.reserve_stock(&request, now()).await;
        // While the cancelled order's entry holds the stock, a late reservation is a repetition; after that it returns
        // an error.
        assert_eq!(reserve, if settled { Err(UNDONE) } else { Ok(()) });
        assert!(world.table.cancel_order(order.clone()).await.is_ok());
        assert_eq!(world.items(), items, "settled: {settled}");
    }
    assert_eq!((stock(&world, 1), entry(&world, 1)), (Some(9), json!(null)));
}

#[tokio::test]
async fn an_unconfirmed_order_cannot_be_cancelled() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let order = |number| in_status(placed(number, &[(1, 1)]), OrderStatus::Confirmed);
    begin(&world, &placed(1, &[(1, 1)]), &payment(1)).await;
    let request = record(&world, &placed(2, &[(1, 1)])).await;
    world.table.reject_order(&request, &declined()).await.unwrap();
    let items = world.items();
    let cancel = async |placed: PlacedOrder| world.table.cancel_order(placed).await;
    assert_eq!(cancel(order(1)).await, Err(Error::Conflict { detail: "The order is pending." }));
    assert_eq!(cancel(order(2)).await, Err(Error::Conflict { detail: "The order is rejected." }));
    assert_eq!(cancel(order(3)).await, Err(NO_ORDER));
    assert_eq!(world.items(), items);
}
