//! The total costs of orders: the sum of the rows of docs/units.md over the steps of the state machines.

use crate::order_support::{
    CUSTOMER, begin, confirm, order_id, payment, placed, placed_of_10, record, stocked_10, undo,
};
use domain::{
    Error,
    order::{OrderStatus, PlacedOrder},
};
use table::{Afterwards, Epoch, Units};
use tests::{
    World,
    samples::{now, once, product_id, user_id, withdrawal},
};

fn assert_write(world: &World, expected: f64, what: &str) {
    let written = world.table.take_units().write;
    assert!((written - expected).abs() < 0.1, "{what}: {written}");
}

/// A table with enough stock of ten products, and with the unit counters reset.
async fn shop() -> World {
    let world = World::new();
    stocked_10(&world, 9).await;
    world.table.take_units();
    world
}

fn samples() -> [(PlacedOrder, [f64; 4]); 2] {
    // Write units of a confirmed order, one whose payment is declined, one that is out of stock, and a cancellation.
    [(placed(1, &[(1, 1)]), [18.0, 20.0, 8.0, 11.0]), (placed_of_10(1), [58.0, 77.0, 11.0, 49.0])]
}

#[tokio::test]
async fn an_order_costs_in_all() {
    for (placed, [expected, ..]) in samples() {
        let world = shop().await;
        confirm(&world, &placed, &payment(1)).await;
        world.table.record_purchases(&placed.request(), now()).await.unwrap();
        world.table.settle_paid(order_id(1)).await.unwrap();
        assert_write(&world, expected, "a whole order");
    }
}

#[tokio::test]
async fn an_order_that_is_undone_costs_in_all() {
    for (placed, [_, declined, out_of_stock, _]) in samples() {
        let world = shop().await;
        let request = begin(&world, &placed, &payment(1)).await;
        undo(&world, &request).await;
        assert_write(&world, declined, "an order whose payment is declined");
        world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
        world.table.take_units();
        let mut second = placed;
        second.order.order_id = order_id(2);
        let request = record(&world, &second).await;
        let refused = world.table.reserve_stock(&request, now()).await;
        let Err(Error::Rejected(reason)) = refused else { panic!("{refused:?}") };
        world.table.reject_order(&request, &reason).await.unwrap();
        assert_write(&world, out_of_stock, "an order that is out of stock");
    }
}

#[tokio::test]
async fn a_cancellation_costs_in_all() {
    for (placed, [.., expected]) in samples() {
        let world = shop().await;
        let confirmed = confirm(&world, &placed, &payment(1)).await;
        world.table.record_purchases(&placed.request(), now()).await.unwrap();
        world.table.settle_paid(order_id(1)).await.unwrap();
        world.table.take_units();
        let cancelled = world.table.cancel_order(confirmed).await.unwrap();
        assert_eq!(
            (cancelled.order.status, cancelled.order.total),
            (OrderStatus::Cancelled, placed.order.total)
        );
        world.table.close_payment(order_id(1), Epoch::CANCELLATION).await.unwrap();
        world.table.revoke_purchases(&cancelled.request(), now()).await.unwrap();
        world
            .table
            .release_stock(&cancelled.request(), Epoch::CANCELLATION, Afterwards::Settled, now())
            .await
            .unwrap();
        assert_write(&world, expected, "a cancellation");
    }
}

/// `POST /orders` reads the idempotency key and the products. A repeated request reads the key and the order; each poll
/// of a waiting request reads the order.
#[tokio::test]
async fn placing_an_order_reads_its_products_and_asking_again_reads_no_product() {
    for (placed, products) in [(placed(1, &[(1, 1)]), 1.0), (placed_of_10(1), 10.0)] {
        let world = shop().await;
        let (key, ids) = (once("k", 1), placed.order.lines.iter().map(|line| line.product_id));
        world.table.order_recorded_before(user_id(CUSTOMER), &key, now()).await.unwrap();
        world.table.products(&ids.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(world.table.take_units(), Units { read: 1.0 + products, write: 0.0 });
        world.table.record_order(&placed, &key).await.unwrap();
        world.table.take_units();
        let before = world.table.order_recorded_before(user_id(CUSTOMER), &key, now()).await.unwrap();
        world.table.order(user_id(CUSTOMER), before.unwrap()).await.unwrap();
        assert_eq!(world.table.take_units(), Units { read: 2.0, write: 0.0 });
    }
}
