//! Lists of orders and of unsettled orders.

use crate::{
    concert_support::size,
    order_support::{
        CUSTOMER, SELLER, declined, in_status, item_of_order, order_id, placed, placed_by, record, stocked,
        written,
    },
};
use domain::{
    id::{OrderId, UserId},
    order::{Order, OrderStatus},
};
use serde_json::json;
use std::{collections::BTreeSet, ops::Range};
use table::{UnsettledOrder, keys};
use tests::{
    World,
    samples::{account, later, product, session, user_id},
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

fn sorted(orders: Vec<UnsettledOrder>) -> Vec<(OrderId, UserId)> {
    let mut orders: Vec<_> = orders.into_iter().map(|order| (order.order_id, order.customer_id)).collect();
    orders.sort();
    orders
}

#[tokio::test]
async fn a_sweep_reads_old_unsettled_orders_of_all_partitions() {
    let world = World::new();
    let none = world.table.unsettled_orders(later(100));
    assert_eq!(world.measure("unsettled_orders", "none", none).await, Ok(Vec::new()));
    for number in 1..=40 {
        record(&world, &placed_by(number % 3, number, &[(1, 1)])).await;
    }
    let expected = |numbers: Range<u32>| {
        numbers.map(|number| (order_id(number), user_id(number % 3))).collect::<Vec<_>>()
    };
    let found = world.table.unsettled_orders(later(100));
    let found = world.measure("unsettled_orders", "40 orders", found).await.unwrap();
    assert_eq!(sorted(found), expected(1..41));
    let older = world.table.unsettled_orders(later(20)).await.unwrap();
    assert_eq!(sorted(older), expected(1..20));
    assert_eq!(world.table.unsettled_orders(later(0)).await, Ok(Vec::new()));
    let partitions: BTreeSet<String> = (1..=40).map(|number| keys::unsettled(order_id(number)).pk).collect();
    assert_eq!(partitions.len(), 16);
}

#[tokio::test]
async fn a_sweep_does_not_read_settled_orders() {
    let world = World::new();
    for number in 1..=3 {
        record(&world, &placed(number, &[(1, 1)])).await;
    }
    world.table.reject_order(&placed(2, &[(1, 1)]).request(), &declined()).await.unwrap();
    let found = world.table.unsettled_orders(later(100)).await.unwrap();
    assert_eq!(sorted(found), [1, 3].map(|number| (order_id(number), user_id(CUSTOMER))));
}

#[tokio::test]
async fn a_sweep_reads_the_oldest_orders_of_a_partition() {
    let world = World::new();
    for number in (16..=16 * 60).step_by(16) {
        let attributes = json!({"customerId": {"S": user_id(CUSTOMER).to_string()}, "epoch": {"N": "0"}});
        world.put(&keys::unsettled(order_id(number)), &attributes);
    }
    let found = world.table.unsettled_orders(later(10_000)).await.unwrap();
    let expected: Vec<_> = (1..=50).map(|number| (order_id(16 * number), user_id(CUSTOMER))).collect();
    assert_eq!(sorted(found), expected);
}
