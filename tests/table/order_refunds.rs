//! What an order says of its refund and of a dispute, and orders whose refund failed after it was done.

use crate::order_support::{
    confirm, declined, entry, order_id, payment, placed, placed_by, stock, stocked, unsettled,
};
use domain::{
    Error, Timestamp,
    order::{Order, PlacedOrder},
    payment::{DisputeStatus, RefundStatus},
    payment_events::EventPeriod,
};
use serde_json::json;
use table::{Afterwards, Closed, Epoch};
use tests::{
    World,
    samples::{later, now},
};

/// A confirmed order of two of nine units, which was cancelled.
async fn cancelled(world: &World) -> PlacedOrder {
    stocked(world, 1, 9).await;
    let order = confirm(world, &placed(1, &[(1, 2)]), &payment(1)).await;
    world.table.settle_paid(order_id(1)).await.unwrap();
    world.table.cancel_order(order).await.unwrap()
}

async fn shown(world: &World, placed: &PlacedOrder) -> Order {
    world.table.order(placed.customer_id, placed.order.order_id).await.unwrap().order
}

#[tokio::test]
async fn an_order_says_that_its_refund_is_not_done_and_keeps_its_entry_meanwhile() {
    let world = World::new();
    let order = cancelled(&world).await;
    let (request, epoch) = (order.request(), Epoch::CANCELLATION);
    let note = world.table.note_refund(&request, epoch, Some(RefundStatus::Pending));
    assert_eq!(world.measure("note_refund", "pending", note).await, Ok(()));
    let again = world.table.note_refund(&request, epoch, Some(RefundStatus::Pending));
    assert_eq!(world.measure("note_refund", "noted before", again).await, Ok(()));
    for (status, version) in [(RefundStatus::Pending, 4), (RefundStatus::Failed, 5)] {
        world.table.note_refund(&request, epoch, Some(status)).await.unwrap();
        let found = shown(&world, &order).await;
        assert_eq!((found.refund, found.version), (Some(status), version));
        let closed = world.table.close_payment(order_id(1), epoch).await;
        assert_eq!(closed, Ok(Closed::Refund(payment(1), status)));
        for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
            world.table.release_stock(&request, epoch, afterwards, now()).await.unwrap();
            assert_eq!((entry(&world, 1).is_null(), stock(&world, 1)), (false, Some(9)));
        }
    }
    let note = world.table.note_refund(&request, epoch, None);
    assert_eq!(world.measure("note_refund", "done", note).await, Ok(()));
    assert_eq!(world.table.note_refund(&request, epoch, None).await, Ok(()));
    let found = shown(&world, &order).await;
    assert_eq!((found.refund, found.version), (None, 6));
    world.table.release_stock(&request, epoch, Afterwards::Settled, now()).await.unwrap();
    assert!(entry(&world, 1).is_null());
}

#[tokio::test]
async fn a_late_note_does_not_change_an_order_that_is_settled_or_of_another_epoch() {
    let world = World::new();
    let order = cancelled(&world).await;
    let request = order.request();
    for epoch in [Epoch::PLACEMENT, Epoch::after_failed_refunds(1)] {
        let note = world.table.note_refund(&request, epoch, Some(RefundStatus::Pending)).await;
        assert_eq!((note, shown(&world, &order).await), (Ok(()), order.order.clone()));
    }
    world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await.unwrap();
    for status in [Some(RefundStatus::Pending), None] {
        let note = world.table.note_refund(&request, Epoch::CANCELLATION, status);
        assert_eq!(world.measure("note_refund", "settled", note).await, Ok(()));
        assert_eq!((shown(&world, &order).await, entry(&world, 1)), (order.order.clone(), json!(null)));
    }
}

#[tokio::test]
async fn an_order_whose_refund_failed_later_is_unsettled_again() {
    let world = World::new();
    let order = cancelled(&world).await;
    let request = order.request();
    world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await.unwrap();
    let paid = payment(1);
    let owe = world.table.owe_refund(&order, &paid, 1);
    assert_eq!(world.measure("owe_refund", "settled", owe).await, Ok(()));
    let owed = entry(&world, 1);
    let again = world.table.owe_refund(&order, &paid, 1);
    assert_eq!(world.measure("owe_refund", "again", again).await, Ok(()));
    assert_eq!(entry(&world, 1), owed);
    // What was begun for the cancellation has no effect on it.
    assert_eq!(world.table.close_payment(order_id(1), Epoch::CANCELLATION).await, Ok(Closed::Settled));
    world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await.unwrap();
    world.table.reject_order(&request, &declined()).await.unwrap();
    assert_eq!((entry(&world, 1), stock(&world, 1)), (owed, Some(9)));
    let epoch = Epoch::after_failed_refunds(1);
    let closed = world.table.close_payment(order_id(1), epoch).await;
    assert_eq!(closed, Ok(Closed::Payment(Some(payment(1)))));
    world.table.release_stock(&request, epoch, Afterwards::Settled, now()).await.unwrap();
    assert_eq!((entry(&world, 1), stock(&world, 1)), (json!(null), Some(9)));
}

/// The failure comes while the cancellation is still unsettled: the stock is given back once, and the refund that the
/// undo knows of does not settle the order.
#[tokio::test]
async fn a_failure_replaces_the_entry_of_an_undo_that_is_under_way() {
    let world = World::new();
    let order = cancelled(&world).await;
    let request = order.request();
    world.table.leave_to_a_person(order_id(1), Epoch::CANCELLATION, "refused", None).await.unwrap();
    world.table.owe_refund(&order, &payment(1), 2).await.unwrap();
    world.table.owe_refund(&order, &payment(1), 1).await.unwrap();
    world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await.unwrap();
    assert_eq!(stock(&world, 1), Some(7), "the old undo does nothing any more");
    let epoch = Epoch::after_failed_refunds(2);
    let (found, _) = world.table.unsettled_orders(later(100), &table::SweepPosition::start()).await.unwrap();
    assert_eq!(found, [table::UnsettledOrder { epoch, ..unsettled(1) }], "no person is asked");
    world.table.release_stock(&request, epoch, Afterwards::Settled, now()).await.unwrap();
    assert_eq!((entry(&world, 1), stock(&world, 1)), (json!(null), Some(9)));
}

#[tokio::test]
async fn a_confirmed_order_owes_no_refund() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let confirmed = entry(&world, 1);
    let paid = payment(1);
    let owe = world.table.owe_refund(&order, &paid, 1);
    assert_eq!(world.measure("owe_refund", "confirmed", owe).await, Ok(()));
    assert_eq!(entry(&world, 1), confirmed);
}

#[tokio::test]
async fn an_order_says_how_its_dispute_stands() {
    let world = World::new();
    stocked(&world, 1, 9).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let note = world.table.note_dispute(&order, DisputeStatus::Open);
    assert_eq!(world.measure("note_dispute", "", note).await, Ok(()));
    let found = shown(&world, &order).await;
    assert_eq!((found.dispute, found.version), (Some(DisputeStatus::Open), 3));
    let again = world.table.note_dispute(&order, DisputeStatus::Open);
    assert_eq!(world.measure("note_dispute", "noted before", again).await, Ok(()));
    // What was read before the dispute was decided must not replace the decision.
    let read = world.table.order(order.customer_id, order_id(1)).await.unwrap();
    world.table.note_dispute(&read, DisputeStatus::Declined).await.unwrap();
    for late in [&order, &read] {
        let note = world.table.note_dispute(late, DisputeStatus::Open).await;
        assert!(matches!(note, Err(Error::Unavailable { .. })), "{note:?}");
    }
    assert_eq!(shown(&world, &order).await.dispute, Some(DisputeStatus::Declined));
    let other = placed_by(6, 2, &[(1, 1)]);
    assert!(
        world.table.note_dispute(&other, DisputeStatus::Open).await.is_err(),
        "an order that is not stored"
    );
}

#[tokio::test]
async fn an_event_is_known_for_thirty_days() {
    let world = World::new();
    let read = world.table.is_processed("evt_1", now());
    assert_eq!(world.measure("is_processed", "new", read).await, Ok(false));
    let record = world.table.record_processed("evt_1", now());
    assert_eq!(world.measure("record_processed", "", record).await, Ok(()));
    let again = world.table.record_processed("evt_1", later(60));
    assert_eq!(world.measure("record_processed", "recorded before", again).await, Ok(()));
    let read = world.table.is_processed("evt_1", later(30 * 86_400));
    assert_eq!(world.measure("is_processed", "", read).await, Ok(true));
    assert_eq!(world.table.is_processed("evt_1", later(30 * 86_400 + 1)).await, Ok(false));
    assert_eq!(world.table.is_processed("evt_2", now()).await, Ok(false));
}

#[tokio::test]
async fn a_period_of_events_is_kept_unless_a_later_one_is() {
    let world = World::new();
    let read = world.table.event_period();
    assert_eq!(world.measure("event_period", "none", read).await, Ok(None));
    let at = |seconds: u64| Timestamp::from_unix_milliseconds(seconds * 1000);
    let first = EventPeriod { from: at(1), until: at(60), after: Some("evt_1".to_owned()) };
    let keep = world.table.keep_event_period(&first);
    assert_eq!(world.measure("keep_event_period", "", keep).await, Ok(()));
    let read = world.table.event_period();
    assert_eq!(world.measure("event_period", "", read).await, Ok(Some(first.clone())));
    let second = first.clone().after_page(None);
    world.table.keep_event_period(&second).await.unwrap();
    let keep = world.table.keep_event_period(&first);
    assert_eq!(world.measure("keep_event_period", "a later one is kept", keep).await, Ok(()));
    assert_eq!(world.table.event_period().await, Ok(Some(second)));
}
