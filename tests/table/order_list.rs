//! Lists of orders and of unsettled orders.

use crate::{
    concert_support::size,
    order_support::{
        CUSTOMER, SELLER, declined, entry, in_status, item_of_order, order_id, placed, placed_by, record,
        stocked, unsettled, written,
    },
};
use domain::{
    Timestamp,
    attempt::{MOST_ATTEMPTS, NextAttempt},
    id::{OrderId, UserId},
    order::{Order, OrderStatus},
};
use serde_json::json;
use std::{collections::BTreeSet, ops::Range};
use table::{Epoch, SweepPosition, UnsettledOrder, keys};
use tests::{
    World,
    samples::{account, later, now, product, session, user_id},
};

/// Loads orders with these numbers and this status into the table. Returns them in reverse order.
fn load(world: &World, numbers: impl IntoIterator<Item = u32>, status: OrderStatus) -> Vec<Order> {
    let placed = numbers.into_iter().map(|number| in_status(placed(number, &[(1, 2)]), status));
    let placed: Vec<_> = placed.collect();
    world.import(placed.iter().map(item_of_order).collect());
    let mut orders: Vec<Order> = placed.into_iter().map(|placed| placed.order).collect();
    orders.reverse();
    orders
}

/// Reads all pages of a list; returns the size of each page, and all orders.
async fn walk(world: &World, status: Option<OrderStatus>, page_size: i64) -> (Vec<usize>, Vec<Order>) {
    let (mut sizes, mut orders, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = world.table.orders(user_id(CUSTOMER), status, size(page_size), after).await.unwrap();
        sizes.push(page.items.len());
        orders.extend(page.items);
        after = page.next;
        if after.is_none() {
            return (sizes, orders);
        }
    }
}

#[tokio::test]
async fn orders_are_listed_newest_first_page_by_page() {
    let world = World::new();
    let none = world.table.orders(user_id(CUSTOMER), None, size(20), None);
    let none = world.measure("orders", "no order", none).await.unwrap();
    assert_eq!((none.items.len(), none.next), (0, None));
    let orders = load(&world, 1..=30, OrderStatus::Confirmed);
    let first = world.table.orders(user_id(CUSTOMER), None, size(20), None);
    let first = world.measure("orders", "20 of 30", first).await.unwrap();
    assert_eq!((first.items.as_slice(), first.next), (&orders[..20], Some(order_id(11))));
    let rest = world.table.orders(user_id(CUSTOMER), None, size(20), first.next);
    let rest = world.measure("orders", "the rest", rest).await.unwrap();
    assert_eq!((rest.items.as_slice(), rest.next), (&orders[20..], None));
    for (page_size, sizes) in [(1, vec![1; 30]), (15, vec![15; 2]), (29, vec![29, 1]), (30, vec![30])] {
        assert_eq!(walk(&world, None, page_size).await, (sizes, orders.clone()));
    }
}

#[tokio::test]
async fn the_list_shows_what_was_written() {
    let world = World::new();
    let order = placed(1, &[(1, 2)]);
    record(&world, &order).await;
    assert_eq!(world.item(&keys::order(user_id(CUSTOMER), order_id(1))), written(&order));
    assert_eq!(walk(&world, None, 20).await, (vec![1], vec![order.order]));
}

#[tokio::test]
async fn a_status_selects_and_no_order_is_left_out_or_shown_twice() {
    let world = World::new();
    let all = [OrderStatus::Pending, OrderStatus::Confirmed, OrderStatus::Rejected, OrderStatus::Cancelled];
    let mut orders = Vec::new();
    for (number, status) in (1..=40).zip(all.into_iter().cycle()) {
        orders.splice(0..0, load(&world, [number], status));
    }
    for status in all {
        let selected: Vec<_> = orders.iter().filter(|order| order.status == status).cloned().collect();
        for (page_size, sizes) in [(3, vec![3, 3, 3, 1]), (5, vec![5, 5]), (10, vec![10]), (100, vec![10])] {
            assert_eq!(walk(&world, Some(status), page_size).await, (sizes, selected.clone()), "{status}");
        }
    }
    let page = world.table.orders(user_id(CUSTOMER), Some(OrderStatus::Pending), size(20), None);
    let page = world.measure("orders", "by status of 40", page).await.unwrap();
    assert_eq!((page.items.len(), page.next), (10, None));
}

#[tokio::test]
async fn a_page_of_a_rare_status_is_short_and_not_the_last() {
    let world = World::new();
    let rare = load(&world, [1, 2, 400], OrderStatus::Cancelled);
    load(&world, (3..=399).chain(401..=1003), OrderStatus::Confirmed);
    let cancelled = Some(OrderStatus::Cancelled);
    let page = world.table.orders(user_id(CUSTOMER), cancelled, size(20), None);
    let page = world.measure("orders", "by a rare status of 1003", page).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, Some(order_id(504))), "500 were looked at");
    assert_eq!(walk(&world, cancelled, 20).await, (vec![0, 1, 2], rare.clone()));
    assert_eq!(walk(&world, cancelled, 1).await, (vec![0, 1, 1, 1], rare));
    let nothing = walk(&world, Some(OrderStatus::Pending), 20).await;
    assert_eq!(nothing, (vec![0; 3], Vec::new()));
}

#[tokio::test]
async fn a_customers_list_has_only_their_orders() {
    let world = World::new();
    let (user, email, credential) = account(CUSTOMER, "ada@example.com");
    world.table.register(&user, &email, &credential).await.unwrap();
    world.table.create_session(&session(CUSTOMER, 1).0).await.unwrap();
    world.table.create_product(&product(1, CUSTOMER), tests::samples::stock(3), None).await.unwrap();
    stocked(&world, 2, 9).await;
    for (customer, number) in
        [(CUSTOMER - 1, 1), (CUSTOMER, 2), (CUSTOMER, 3), (CUSTOMER + 1, 4), (SELLER, 5)]
    {
        record(&world, &placed_by(customer, number, &[(2, 1)])).await;
    }
    let ids: Vec<OrderId> = walk(&world, None, 20).await.1.iter().map(|order| order.order_id).collect();
    assert_eq!(ids, [order_id(3), order_id(2)]);
    for page_size in [1, 2] {
        assert_eq!(walk(&world, Some(OrderStatus::Pending), page_size).await.1.len(), 2);
    }
    // A cursor's order need not exist or belong to the customer.
    for (after, expected) in [(4, vec![3, 2]), (3, vec![2]), (2, vec![]), (1, vec![])] {
        let page =
            world.table.orders(user_id(CUSTOMER), None, size(20), Some(order_id(after))).await.unwrap();
        let ids: Vec<OrderId> = page.items.iter().map(|order| order.order_id).collect();
        assert_eq!(ids, expected.into_iter().map(order_id).collect::<Vec<_>>());
    }
}

/// The first page of each partition.
async fn first(world: &World, before: Timestamp) -> (Vec<UnsettledOrder>, SweepPosition) {
    world.table.unsettled_orders(before, &SweepPosition::start()).await.unwrap()
}

fn sorted(orders: Vec<UnsettledOrder>) -> Vec<(OrderId, UserId)> {
    let mut orders: Vec<_> = orders.into_iter().map(|order| (order.order_id, order.customer_id)).collect();
    orders.sort();
    orders
}

#[tokio::test]
async fn unsettled_orders_of_all_partitions_are_told_when_they_are_old_enough() {
    let world = World::new();
    let none = world.measure("unsettled_orders", "none", first(&world, later(100))).await;
    assert_eq!((none.0, none.1.is_end()), (Vec::new(), true));
    for number in 1..=40 {
        record(&world, &placed_by(number % 3, number, &[(1, 1)])).await;
    }
    let expected = |numbers: Range<u32>| {
        numbers.map(|number| (order_id(number), user_id(number % 3))).collect::<Vec<_>>()
    };
    let (found, next) = world.measure("unsettled_orders", "40 orders", first(&world, later(100))).await;
    assert_eq!((sorted(found), next.is_end()), (expected(1..41), true));
    assert_eq!(sorted(first(&world, later(20)).await.0), expected(1..20));
    assert_eq!(first(&world, later(0)).await.0, Vec::new());
    let partitions: BTreeSet<String> = (1..=40).map(|number| keys::unsettled(order_id(number)).pk).collect();
    assert_eq!(partitions.len(), 16);
}

#[tokio::test]
async fn settled_orders_are_told_no_more() {
    let world = World::new();
    for number in 1..=3 {
        record(&world, &placed(number, &[(1, 1)])).await;
    }
    world.table.reject_order(&placed(2, &[(1, 1)]).request(), &declined()).await.unwrap();
    let (found, _) = first(&world, later(100)).await;
    assert_eq!(sorted(found), [1, 3].map(|number| (order_id(number), user_id(CUSTOMER))));
}

#[tokio::test]
async fn many_unsettled_orders_of_a_partition_are_told_page_by_page() {
    let world = World::new();
    for number in (16..=16 * 120).step_by(16).chain([17]) {
        let attributes = json!({"customerId": {"S": user_id(CUSTOMER).to_string()}, "epoch": {"N": "0"}});
        world.put(&keys::unsettled(order_id(number)), &attributes);
    }
    let (mut position, mut pages) = (SweepPosition::start(), Vec::new());
    while !position.is_end() {
        let (found, next) = world.table.unsettled_orders(later(10_000), &position).await.unwrap();
        position = next;
        pages.push(sorted(found));
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [51, 50, 20]);
    let all: BTreeSet<_> = pages.into_iter().flatten().collect();
    assert_eq!(all.len(), 121);
}

#[tokio::test]
async fn a_failed_attempt_is_counted_and_tried_again_later() {
    let world = World::new();
    record(&world, &placed(1, &[(1, 1)])).await;
    let order = unsettled(1);
    let count = world.table.count_failed_attempt(&order, "no answer", now());
    let next = world.measure("count_failed_attempt", "", count).await;
    assert_eq!(next, Ok(NextAttempt::After(later(300))));
    // The same attempt is counted once, however often its request is sent.
    world.table.count_failed_attempt(&unsettled(1), "no answer", now()).await.unwrap();
    let (found, _) = first(&world, later(100)).await;
    assert_eq!(found, [UnsettledOrder { attempts: 1, retry_at: Some(later(300)), ..unsettled(1) }]);
    assert!(!found[0].is_due(later(299)) && found[0].is_due(later(300)));
    let other = UnsettledOrder { epoch: Epoch::CANCELLATION, attempts: 7, ..unsettled(1) };
    world.table.count_failed_attempt(&other, "late", now()).await.unwrap();
    world.table.leave_to_a_person(order_id(1), other.epoch, "late", None).await.unwrap();
    assert_eq!(first(&world, later(100)).await.0, found, "an entry of another epoch is left as it is");
    world.table.count_failed_attempt(&unsettled(2), "gone", now()).await.unwrap();
    assert_eq!(entry(&world, 2), json!(null), "a settled order gets no entry");
}

#[tokio::test]
async fn an_order_is_left_to_a_person_until_an_operator_lets_the_sweep_retry_it() {
    let world = World::new();
    record(&world, &placed(1, &[(1, 1)])).await;
    let last = UnsettledOrder { attempts: MOST_ATTEMPTS - 1, ..unsettled(1) };
    let next = world.table.count_failed_attempt(&last, "Internal", now()).await;
    assert_eq!(next, Ok(NextAttempt::Never));
    let (found, _) = first(&world, later(100)).await;
    assert_eq!((found[0].stuck.as_deref(), found[0].is_due(later(1_000_000))), (Some("Internal"), false));
    let leave = world.table.leave_to_a_person(order_id(1), Epoch::PLACEMENT, "refused", None);
    assert_eq!(world.measure("leave_to_a_person", "", leave).await, Ok(()));
    let retry = world.table.retry_unsettled(order_id(1));
    assert_eq!(world.measure("retry_unsettled", "", retry).await, Ok(true));
    assert_eq!(first(&world, later(100)).await.0, [unsettled(1)]);
    assert_eq!(world.table.retry_unsettled(order_id(2)).await, Ok(false));
}
