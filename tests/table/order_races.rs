//! Concurrent operations on orders, on several threads.

use crate::{
    hold,
    order_support::{
        CUSTOMER, SELLER, UNDONE, begin, confirm, entry, in_status, marks, order_id, payment, placed, record,
        reserve, short, status, stock, stocked, undo,
    },
    together,
};
use domain::{
    order::{OrderStatus, PlacedOrder},
    stock::StockChange,
};
use std::sync::Arc;
use table::{Afterwards, Closed, Epoch};
use tests::{
    Fault, World,
    samples::{next_version, now, once, product_id, user_id, withdrawal},
};
use tokio::{sync::Barrier, task::JoinHandle};

/// The number of runs of each race.
const ROUNDS: u32 = 25;

/// Makes the next requests of two operations wait for each other; if both are the same, its next two requests.
fn at_once(world: &World, operations: [&'static str; 2]) {
    let barrier = Arc::new(Barrier::new(2));
    for operation in operations {
        world.wire.next(operation, [Fault::Held(Arc::clone(&barrier))]);
    }
}

fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    world: &Arc<World>,
    work: impl FnOnce(Arc<World>) -> F,
) -> JoinHandle<T> {
    tokio::spawn(work(Arc::clone(world)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_50_of_200_orders_get_one_of_50() {
    let world = Arc::new(World::new());
    stocked(&world, 1, 50).await;
    for number in 0..200 {
        record(&world, &placed(number, &[(1, 1)])).await;
    }
    hold(&world, "TransactWriteItems", 200);
    let reserved = together(&world, 200, async |world, number| {
        world.table.reserve_stock(&placed(number, &[(1, 1)]).request(), now()).await
    })
    .await;
    assert_eq!(reserved.iter().flatten().count(), 50);
    let lost = reserved.iter().filter(|result| **result == Err(short(&[(1, 0)])));
    assert_eq!(lost.count(), 150, "each is told which line, and that none is left");
    assert_eq!(stock(&world, 1), Some(0));
    for (number, result) in (0..).zip(&reserved) {
        let held = marks(&world, number).contains(&"reserved".to_owned());
        assert_eq!(held, result.is_ok(), "order {number}");
    }
}

/// Even and odd orders have the same two products in opposite order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_orders_of_two_products_reserve_both_or_neither() {
    let world = Arc::new(World::new());
    stocked(&world, 1, 20).await;
    stocked(&world, 2, 15).await;
    let order = |number: u32| match number % 2 {
        0 => placed(number, &[(1, 1), (2, 1)]),
        _ => placed(number, &[(2, 1), (1, 1)]),
    };
    for number in 0..40 {
        record(&world, &order(number)).await;
    }
    hold(&world, "TransactWriteItems", 40);
    let reserved = together(&world, 40, move |world, number| async move {
        world.table.reserve_stock(&order(number).request(), now()).await
    })
    .await;
    assert_eq!(reserved.iter().flatten().count(), 15);
    assert!(reserved.iter().all(|result| result.is_ok() || *result == Err(short(&[(2, 0)]))));
    assert_eq!((stock(&world, 1), stock(&world, 2)), (Some(5), Some(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_order_that_is_reserved_and_released_20_times_takes_and_gives_once() {
    let world = Arc::new(World::new());
    stocked(&world, 1, 9).await;
    record(&world, &placed(1, &[(1, 2)])).await;
    hold(&world, "TransactWriteItems", 20);
    let reserved = together(&world, 20, async |world, _| {
        world.table.reserve_stock(&placed(1, &[(1, 2)]).request(), now()).await
    })
    .await;
    assert_eq!((reserved.iter().flatten().count(), stock(&world, 1)), (20, Some(7)));
    hold(&world, "TransactWriteItems", 20);
    let released = together(&world, 20, async |world, _| {
        world
            .table
            .release_stock(&placed(1, &[(1, 2)]).request(), Epoch::PLACEMENT, Afterwards::Unsettled, now())
            .await
    })
    .await;
    assert_eq!((released.iter().flatten().count(), stock(&world, 1)), (20, Some(9)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reservation_and_its_undo_at_the_same_instant_leave_nothing_held() {
    for round in 0..ROUNDS {
        let world = Arc::new(World::new());
        stocked(&world, 1, 3).await;
        let request = record(&world, &placed(1, &[(1, 2)])).await;
        let afterwards = if round % 2 == 0 { Afterwards::Unsettled } else { Afterwards::Settled };
        at_once(&world, ["TransactWriteItems"; 2]);
        let reserved = spawn(&world, |world| async move {
            world.table.reserve_stock(&placed(1, &[(1, 2)]).request(), now()).await
        });
        world.table.release_stock(&request, Epoch::PLACEMENT, afterwards, now()).await.unwrap();
        let reserved = reserved.await.unwrap();
        // True if the release found nothing reserved, and the reservation was written before the release closed the
        // entry.
        let between = marks(&world, 1).contains(&"reserved".to_owned());
        assert_eq!(stock(&world, 1), Some(if between { 1 } else { 3 }));
        assert!(reserved == Ok(()) || reserved == Err(UNDONE) && !between, "{reserved:?}");
        world.table.release_stock(&request, Epoch::PLACEMENT, afterwards, now()).await.unwrap();
        assert_eq!(world.table.reserve_stock(&request, now()).await, Err(UNDONE));
        assert_eq!(stock(&world, 1), Some(3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_one_of_a_confirmation_and_an_undo_succeeds() {
    let (mut confirmed, mut undone) = (0, 0);
    for round in 0..2 * ROUNDS {
        let world = Arc::new(World::new());
        stocked(&world, 1, 3).await;
        let order = placed(1, &[(1, 2)]);
        let request = begin(&world, &order, &payment(1)).await;
        at_once(&world, ["TransactWriteItems", "UpdateItem"]);
        let confirmation = spawn(&world, |world| async move {
            world.table.confirm_order(&placed(1, &[(1, 2)]).request(), &payment(1)).await
        });
        let closed = world.table.close_payment(order_id(1), Epoch::PLACEMENT).await.unwrap();
        match (confirmation.await.unwrap(), closed) {
            (Ok(()), Closed::Confirmed) => {
                assert_eq!(status(&world, &order).await, OrderStatus::Confirmed);
                confirmed += 1;
            }
            (Err(UNDONE), Closed::Payment(Some(begun))) => {
                assert_eq!(begun, payment(1));
                undo(&world, &request).await;
                assert_eq!(status(&world, &order).await, OrderStatus::Rejected);
                assert_eq!((stock(&world, 1), entry(&world, 1).is_null()), (Some(3), true));
                undone += 1;
            }
            both => panic!("round {round}: {both:?}"),
        }
    }
    assert_eq!(confirmed + undone, 2 * ROUNDS);
}

/// Either the undo gets the payment's id, or the payment is not begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_payment_is_begun_behind_an_undo() {
    for round in 0..ROUNDS {
        let world = Arc::new(World::new());
        stocked(&world, 1, 3).await;
        reserve(&world, &placed(1, &[(1, 2)])).await;
        at_once(&world, ["UpdateItem"; 2]);
        let begun =
            spawn(&world, |world| async move { world.table.begin_payment(order_id(1), &payment(1)).await });
        let closed = world.table.close_payment(order_id(1), Epoch::PLACEMENT).await.unwrap();
        match (begun.await.unwrap(), closed) {
            (Ok(()), Closed::Payment(Some(known))) => assert_eq!(known, payment(1)),
            (Err(UNDONE), Closed::Payment(None)) => {}
            both => panic!("round {round}: {both:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_concurrent_cancellations_change_the_order_once() {
    let world = Arc::new(World::new());
    stocked(&world, 1, 9).await;
    let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
    hold(&world, "TransactWriteItems", 20);
    let shown = together(&world, 20, async |world, _| {
        let seen = in_status(placed(1, &[(1, 2)]), OrderStatus::Confirmed);
        world.table.cancel_order(seen).await.unwrap()
    })
    .await;
    let cancelled = in_status(order, OrderStatus::Cancelled);
    assert!(shown.iter().all(|shown| *shown == cancelled));
    assert_eq!(world.table.order(user_id(CUSTOMER), order_id(1)).await, Ok(cancelled));
}

/// Whether the capture or the cancellation is first, the cancelled order keeps its unsettled entry with the reserved
/// stock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_capture_does_not_settle_an_order_that_is_being_cancelled() {
    for _ in 0..ROUNDS {
        let world = Arc::new(World::new());
        stocked(&world, 1, 3).await;
        let order: PlacedOrder = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
        let request = order.request();
        at_once(&world, ["TransactWriteItems", "DeleteItem"]);
        let settled = spawn(&world, |world| async move { world.table.settle_paid(order_id(1)).await });
        let cancelled = world.table.cancel_order(order).await.unwrap();
        settled.await.unwrap().unwrap();
        assert_eq!(cancelled.order.status, OrderStatus::Cancelled);
        assert_eq!(marks(&world, 1), ["closed", "payment", "reserved"]);
        world.table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await.unwrap();
        assert_eq!((stock(&world, 1), entry(&world, 1).is_null()), (Some(3), true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sellers_change_and_a_reservation_at_the_same_instant_both_succeed() {
    for _ in 0..ROUNDS {
        let world = Arc::new(World::new());
        let next = next_version(&stocked(&world, 1, 3).await);
        let request = record(&world, &placed(1, &[(1, 2)])).await;
        at_once(&world, ["TransactWriteItems", "PutItem"]);
        let written = next.clone();
        let change = spawn(&world, |world| async move {
            world.table.replace_product(&written, &written.draft.category, table::Writer([1; 16])).await
        });
        world.table.reserve_stock(&request, now()).await.unwrap();
        assert_eq!(change.await.unwrap(), Ok(()));
        assert_eq!((world.table.product(product_id(1)).await, stock(&world, 1)), (Ok(next), Some(1)));
    }
}

/// Sellers who add to the stock or change the product, and customers: no unit and no change is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_changes_deltas_and_orders_of_one_product_are_all_kept() {
    let world = Arc::new(World::new());
    stocked(&world, 1, 100).await;
    for number in 0..80 {
        record(&world, &placed(number, &[(1, 1)])).await;
    }
    together(&world, 101, async |world, number| {
        let table = world.another_client();
        match number {
            0..80 => {
                table.reserve_stock(&placed(number, &[(1, 1)]).request(), now()).await.unwrap();
            }
            80..100 => {
                let (seller, add) = (user_id(SELLER), StockChange::Add(5));
                let key = once(&number.to_string(), 1);
                table.change_stock(product_id(1), seller, add, Some(&key), now()).await.unwrap();
            }
            _ => {
                // One seller changes the product 20 times, each time the version that the change before it made.
                let mut product = table.product(product_id(1)).await.unwrap();
                for _ in 0..20 {
                    product = next_version(&product);
                    table
                        .replace_product(&product, &product.draft.category, table::Writer([7; 16]))
                        .await
                        .unwrap();
                }
            }
        }
    })
    .await;
    let listed = world.table.listed_product(product_id(1)).await.unwrap();
    assert_eq!((listed.stock.get(), listed.product.version), (100 + 20 * 5 - 80, 21));
    assert_eq!(listed.stock_version, 1 + 80 + 20);
}

/// A product is withdrawn while it is ordered: the order reserves it, or is rejected with 0 units available.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_withdrawal_and_a_reservation_at_the_same_instant_agree() {
    for _ in 0..ROUNDS {
        let world = Arc::new(World::new());
        stocked(&world, 1, 3).await;
        let request = record(&world, &placed(1, &[(1, 2)])).await;
        hold(&world, "TransactWriteItems", 2);
        let hidden =
            spawn(
                &world,
                |world| async move { world.table.hide_product(withdrawal(product_id(1), 1)).await },
            );
        let reserved = world.table.reserve_stock(&request, now()).await;
        assert_eq!(hidden.await.unwrap(), Ok(table::Hidden::Done), "a sale is no new version");
        match reserved {
            Ok(()) => assert_eq!(stock(&world, 1), Some(1)),
            Err(none) => assert_eq!((none, stock(&world, 1)), (short(&[(1, 0)]), Some(3))),
        }
        let late = record(&world, &placed(2, &[(1, 1)])).await;
        assert_eq!(world.table.reserve_stock(&late, now()).await, Err(short(&[(1, 0)])));
        world.table.purge_product(product_id(1), user_id(SELLER)).await.unwrap();
        assert_eq!(stock(&world, 1), None);
    }
}
