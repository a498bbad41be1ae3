//! Orders of products in a price experiment: each visitor pays their own price, and the order says which variant it was.

use crate::order_support::{CUSTOMER, SELLER, begin, order_id, payment, price};
use domain::{
    Money, Timestamp,
    id::VisitorUuid,
    order::{OrderLine, OrderStatus, PlacedOrder, RequestedLine},
    order_draft::{OrderDraft, Priced},
    page::PageSize,
    payment::PaymentMethod,
    pricing::PROMISE_SECONDS,
    product::Product,
};
use serde_json::json;
use table::{Recorded, Writer};
use tests::{
    World,
    samples::{
        caller, later, once, overlaid, overlay, product, product_id, user_id, visitor_id,
        visitors_of_both_variants,
    },
};

/// The product's own price, and the price of the second variant.
const OWN: i64 = 650;
const OTHER: i64 = 590;

/// Publishes a product whose experiment starts at once.
async fn tested(world: &World, number: u32) -> Product {
    let published = product(number, SELLER);
    world.publish(&published).await;
    replace(world, overlaid(&published, Some(overlay(OTHER)), 0)).await
}

async fn replace(world: &World, product: Product) -> Product {
    let writer = Writer([u8::try_from(product.version).unwrap(); 16]);
    world.table.replace_product(&product, &product.draft.category, writer).await.unwrap();
    product
}

/// The order of one unit of each product, for this total in the catalog as it is now; `None` if the price has changed.
async fn priced(
    world: &World,
    number: u32,
    products: &[u32],
    total: i64,
    visitor: Option<VisitorUuid>,
    at: Timestamp,
) -> Option<PlacedOrder> {
    let line = |number: &u32| RequestedLine { product_id: product_id(*number), quantity: 1 };
    let draft = OrderDraft {
        lines: products.iter().map(line).collect(),
        expected_total: Money { amount: total, ..price(1) },
        payment_method: PaymentMethod::from_value(json!("pm_card_visa")).unwrap(),
    };
    let known = world.table.products(&draft.products()).await.unwrap();
    match draft.price(order_id(number), &caller(CUSTOMER), visitor, at, &known).unwrap() {
        Priced::AsExpected(placed) => Some(placed),
        Priced::Changed(_) => None,
    }
}

fn variants(lines: &[OrderLine]) -> Vec<(i64, Option<&str>)> {
    lines
        .iter()
        .map(|line| (line.unit_price.amount, line.experiment.as_ref().map(|it| it.variant.as_str())))
        .collect()
}

#[tokio::test]
async fn two_visitors_at_the_same_instant_pay_their_own_prices() {
    let world = World::new();
    tested(&world, 1).await;
    let [first, second] = visitors_of_both_variants();
    let at = later(PROMISE_SECONDS);
    for (number, visitor, total, variant) in [
        (1, Some(first), OWN, Some("control")),
        (2, Some(second), OTHER, Some("other")),
        (3, None, OWN, None),
    ] {
        let other = OWN + OTHER - total;
        assert_eq!(priced(&world, number, &[1], other, visitor, at).await, None, "{number}");
        let placed = priced(&world, number, &[1], total, visitor, at).await.unwrap();
        assert_eq!(variants(&placed.order.lines), [(total, variant)]);
        let key = once(&number.to_string(), 1);
        assert_eq!(world.table.record_order(&placed, &key).await, Ok(Recorded::Now));
        let read = world.table.order(user_id(CUSTOMER), order_id(number)).await.unwrap();
        assert_eq!((read.order.visitor_id, &read), (visitor, &placed));
    }
}

#[tokio::test]
async fn the_price_of_a_visitor_needs_no_further_read() {
    let world = World::new();
    let mut ids = Vec::new();
    for number in 1..=10 {
        tested(&world, number).await;
        ids.push(product_id(number));
    }
    let read = world.table.products(&ids[..1]);
    assert_eq!(world.measure("products", "one in an experiment", read).await.unwrap().len(), 1);
    let read = world.table.products(&ids);
    assert_eq!(world.measure("products", "ten in experiments", read).await.unwrap().len(), 10);
    let [_, second] = visitors_of_both_variants();
    let one = priced(&world, 1, &[1], OTHER, Some(second), later(60)).await.unwrap();
    let key = once("one", 1);
    let record = world.table.record_order(&one, &key);
    assert_eq!(world.measure("record_order", "in an experiment", record).await, Ok(Recorded::Now));
    let all: Vec<u32> = (1..=10).collect();
    let ten = priced(&world, 2, &all, 10 * OTHER, Some(second), later(60)).await.unwrap();
    let key = once("ten", 1);
    let record = world.table.record_order(&ten, &key);
    assert_eq!(world.measure("record_order", "of 10 lines in experiments", record).await, Ok(Recorded::Now));
}

#[tokio::test]
async fn a_stop_during_an_order_takes_the_price_from_nobody_who_saw_it() {
    let world = World::new();
    let running = tested(&world, 1).await;
    let [_, second] = visitors_of_both_variants();
    let stopped_at = 7200;
    // One customer's products are read before the stop, the other's after it.
    let before = priced(&world, 1, &[1], OTHER, Some(second), later(stopped_at)).await.unwrap();
    replace(&world, overlaid(&running, None, stopped_at)).await;
    let until = stopped_at + PROMISE_SECONDS;
    let after = priced(&world, 2, &[1], OTHER, Some(second), later(until - 1)).await.unwrap();
    for (number, placed) in [(1, before), (2, after)] {
        assert_eq!(variants(&placed.order.lines), [(OTHER, Some("other"))]);
        let key = once(&number.to_string(), 1);
        assert_eq!(world.table.record_order(&placed, &key).await, Ok(Recorded::Now));
    }
    assert_eq!(priced(&world, 3, &[1], OTHER, Some(second), later(until)).await, None);
    let own = priced(&world, 3, &[1], OWN, Some(second), later(until)).await.unwrap();
    assert_eq!(variants(&own.order.lines), [(OWN, None)]);
    // Nobody else was offered that price.
    let [first, _] = visitors_of_both_variants();
    for visitor in [Some(first), None] {
        assert_eq!(priced(&world, 3, &[1], OTHER, visitor, later(stopped_at)).await, None);
    }
}

#[tokio::test]
async fn an_order_keeps_its_variant_through_retries_and_every_status() {
    let world = World::new();
    let running = tested(&world, 1).await;
    let [_, second] = visitors_of_both_variants();
    let placed = priced(&world, 1, &[1], OTHER, Some(second), later(10)).await.unwrap();
    let key = once(&order_id(1).to_string(), 1);
    let request = begin(&world, &placed, &payment(1)).await;
    replace(&world, overlaid(&running, None, 20)).await;
    // A request that is repeated after the experiment has ended, even by another visitor, finds its order.
    let again = priced(&world, 2, &[1], OWN, Some(visitor_id(7)), later(7200)).await.unwrap();
    assert_eq!(world.table.record_order(&again, &key).await, Ok(Recorded::Before(order_id(1))));
    let expected = variants(&placed.order.lines);
    assert_eq!(expected, [(OTHER, Some("other"))]);
    world.table.confirm_order(&request, &payment(1)).await.unwrap();
    let confirmed = world.table.order(user_id(CUSTOMER), order_id(1)).await.unwrap();
    let cancelled = world.table.cancel_order(confirmed.clone()).await.unwrap();
    let list = world.table.orders(user_id(CUSTOMER), None, PageSize::DEFAULT, None).await.unwrap().items;
    for (order, status) in [
        (&confirmed.order, OrderStatus::Confirmed),
        (&cancelled.order, OrderStatus::Cancelled),
        (&list[0], OrderStatus::Cancelled),
    ] {
        assert_eq!((order.status, order.visitor_id), (status, Some(second)));
        assert_eq!(variants(&order.lines), expected);
    }
    let line = &world.item(&table::keys::order(user_id(CUSTOMER), order_id(1)))["lines"]["L"][0]["M"];
    let experiment = overlay(OTHER).experiment_id.to_string();
    assert_eq!(
        line["experiment"]["M"],
        json!({"experimentId": {"S": experiment}, "variant": {"S": "other"}})
    );
}
