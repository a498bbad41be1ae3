//! An undo acts on the unsettled entry that it was begun for, and on no other of its order.

use crate::order_support::{
    confirm, declined, entry, order_id, payment, placed, record, reserve, stock, stocked, unsettled,
};
use table::{Afterwards, Closed, Epoch, SweepPosition, UnsettledOrder};
use tests::{
    World,
    samples::{later, now},
};

/// The sweep reads a pending order; the order is confirmed, paid and settled; the sweep finds no entry; the customer
/// cancels, which writes a new entry; the sweep goes on.
#[tokio::test]
async fn an_undo_of_the_placement_leaves_the_entry_of_the_cancellation() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    let request = order.request();
    world.table.settle_paid(order_id(1)).await.unwrap();
    let closed = world.table.close_payment(order_id(1), Epoch::PLACEMENT).await;
    assert_eq!(closed, Ok(Closed::Settled));
    world.table.cancel_order(order).await.unwrap();
    let cancellation = entry(&world, 1);
    let closed = world.table.close_payment(order_id(1), Epoch::PLACEMENT).await;
    assert_eq!(closed, Ok(Closed::Settled));
    for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
        world.table.release_stock(&request, Epoch::PLACEMENT, afterwards, now()).await.unwrap();
        world.table.reject_order(&request, &declined()).await.unwrap();
        assert_eq!((&entry(&world, 1), stock(&world, 1)), (&cancellation, Some(1)));
    }
    let closed = world.table.close_payment(order_id(1), Epoch::CANCELLATION).await;
    assert_eq!(closed, Ok(Closed::Payment(Some(payment(1)))), "the cancellation knows what to refund");
    for _ in 0..2 {
        let release =
            world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await;
        assert_eq!((release, stock(&world, 1), entry(&world, 1).is_null()), (Ok(()), Some(3), true));
    }
}

/// The reverse: the undo of a cancellation has no effect on the entry of a placement.
#[tokio::test]
async fn an_undo_of_a_cancellation_leaves_the_entry_of_the_placement() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    reserve(&world, &placed(1, &[(1, 2)])).await;
    record(&world, &placed(2, &[(1, 1)])).await;
    for number in [1, 2] {
        let (request, placement) = (placed(number, &[(1, 2)]).request(), entry(&world, number));
        let closed = world.table.close_payment(order_id(number), Epoch::CANCELLATION).await;
        assert_eq!(closed, Ok(Closed::Settled));
        for afterwards in [Afterwards::Unsettled, Afterwards::Settled] {
            world.table.release_stock(&request, Epoch::CANCELLATION, afterwards, now()).await.unwrap();
            assert_eq!((entry(&world, number), stock(&world, 1)), (placement.clone(), Some(1)));
        }
    }
}

#[tokio::test]
async fn the_sweep_reads_which_entry_it_is() {
    let world = World::new();
    stocked(&world, 1, 3).await;
    record(&world, &placed(1, &[(1, 1)])).await;
    let cancelled = confirm(&world, &placed(2, &[(1, 1)]), &payment(2)).await;
    world.table.cancel_order(cancelled).await.unwrap();
    let (found, _) = world.table.unsettled_orders(later(9), &SweepPosition::start()).await.unwrap();
    let expected = [(1, Epoch::PLACEMENT), (2, Epoch::CANCELLATION)]
        .map(|(number, epoch)| UnsettledOrder { epoch, ..unsettled(number) });
    assert_eq!(found, expected);
}
