//! Sample orders; the same number always gives the same sample.

use domain::{
    Error, Money,
    id::{Id, OrderId},
    order::{OrderRequest, OrderStatus, PlacedOrder, RequestedLine},
    order_draft::{OrderDraft, Priced},
    payment::{PaymentId, PaymentMethod},
    product::Product,
    rejection::{RejectionReason, Shortage},
};
use dynoxide::Item;
use serde_json::{Value, json};
use table::{Afterwards, Epoch, UnsettledOrder, keys};
use tests::{
    World,
    items::{item_of, with_key},
    samples::{caller, later, now, once, product, product_id, user_id},
};

/// The seller of all products, and the customer of all orders.
pub const SELLER: u32 = 7;
pub const CUSTOMER: u32 = 5;

/// The errors that the table's methods return.
pub const NO_ORDER: Error = Error::NotFound { what: "order" };
pub const UNDONE: Error = Error::Conflict { detail: "The order is being undone." };

/// An order's id; a higher number gives a later id with the same last hexadecimal digit as the number.
pub fn order_id(number: u32) -> OrderId {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    OrderId::new(later(number.into()), random)
}

/// A payment's id, as long as the provider's ids.
pub fn payment(number: u32) -> PaymentId {
    PaymentId::new(format!("pi_{number:024}"))
}

/// The sample customer's order of these products and quantities.
pub fn placed(number: u32, lines: &[(u32, i64)]) -> PlacedOrder {
    placed_by(CUSTOMER, number, lines)
}

pub fn placed_by(customer: u32, number: u32, lines: &[(u32, i64)]) -> PlacedOrder {
    let known = lines.iter().map(|(number, _)| (product_id(*number), product(*number, SELLER))).collect();
    let wanted = |(number, quantity): &(u32, i64)| RequestedLine {
        product_id: product_id(*number),
        quantity: *quantity,
    };
    let payment_method = PaymentMethod::from_value(json!("pm_1SVfXnEjUtQc7b1q0aBcDeFg")).unwrap();
    let expected_total = price(lines.iter().map(|(_, quantity)| quantity).sum());
    let draft = OrderDraft { lines: lines.iter().map(wanted).collect(), expected_total, payment_method };
    let priced =
        draft.price(order_id(number), &caller(customer), None, later(number.into()), &known).unwrap();
    let Priced::AsExpected(placed) = priced else { unreachable!("the samples have one price") };
    placed
}

/// An order of one unit each of products 1 to 10.
pub fn placed_of_10(number: u32) -> PlacedOrder {
    let lines: Vec<(u32, i64)> = (1..=10).map(|product| (product, 1)).collect();
    placed(number, &lines)
}

/// The same order in another status, with the version that it has then.
pub fn in_status(mut placed: PlacedOrder, status: OrderStatus) -> PlacedOrder {
    placed.order.version = match status {
        OrderStatus::Pending => 1,
        OrderStatus::Confirmed | OrderStatus::Rejected => 2,
        OrderStatus::Cancelled | OrderStatus::PaymentFailed => 3,
    };
    placed.order.status = status;
    placed.payment = (placed.order.version > 1 && status != OrderStatus::Rejected).then(|| payment(1));
    placed
}

/// Publishes a product with this stock.
pub async fn stocked(world: &World, number: u32, stock: i64) -> Product {
    let product = product(number, SELLER);
    world.publish_with(&product, stock).await;
    product
}

/// Publishes products 1 to 10, each with this stock.
pub async fn stocked_10(world: &World, stock: i64) {
    for number in 1..=10 {
        stocked(world, number, stock).await;
    }
}

/// The stock of a product; `None` if it is deleted.
pub fn stock(world: &World, number: u32) -> Option<i64> {
    world.item(&keys::stock(product_id(number)))["stock"]["N"].as_str().map(|stock| stock.parse().unwrap())
}

/// The unsettled entry of an order; null if there is none.
pub fn entry(world: &World, number: u32) -> Value {
    world.item(&keys::unsettled(order_id(number)))
}

/// The sample order as the sweep reads it, before the first attempt to settle it.
pub fn unsettled(number: u32) -> UnsettledOrder {
    UnsettledOrder {
        order_id: order_id(number),
        customer_id: user_id(CUSTOMER),
        epoch: Epoch::PLACEMENT,
        attempts: 0,
        retry_at: None,
        stuck: None,
    }
}

/// The names of an entry's attributes, without its keys, its customer and its epoch.
pub fn marks(world: &World, number: u32) -> Vec<String> {
    let entry = entry(world, number);
    let names = entry.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let mut names: Vec<_> =
        names.filter(|name| !["pk", "sk", "customerId", "epoch"].contains(&&**name)).collect();
    names.sort();
    names
}

/// The status of an order.
pub async fn status(world: &World, placed: &PlacedOrder) -> OrderStatus {
    world.table.order(placed.customer_id, placed.order.order_id).await.unwrap().order.status
}

/// Records an order with its own idempotency key.
pub async fn record(world: &World, placed: &PlacedOrder) -> OrderRequest {
    let key = once(&placed.order.order_id.to_string(), 1);
    world.table.record_order(placed, &key).await.unwrap();
    placed.request()
}

/// Records an order and reserves its stock.
pub async fn reserve(world: &World, placed: &PlacedOrder) -> OrderRequest {
    let request = record(world, placed).await;
    world.table.reserve_stock(&request, now()).await.unwrap();
    request
}

/// Records an order, reserves its stock and begins this payment.
pub async fn begin(world: &World, placed: &PlacedOrder, payment: &PaymentId) -> OrderRequest {
    let request = reserve(world, placed).await;
    world.table.begin_payment(request.order_id, payment).await.unwrap();
    request
}

/// Records, reserves, pays and confirms an order, without settling it. Returns the confirmed order.
pub async fn confirm(world: &World, placed: &PlacedOrder, payment: &PaymentId) -> PlacedOrder {
    let request = begin(world, placed, payment).await;
    world.table.confirm_order(&request, payment).await.unwrap();
    world.table.order(placed.customer_id, placed.order.order_id).await.unwrap()
}

/// Undoes an order that is not confirmed, as the state machine does.
pub async fn undo(world: &World, request: &OrderRequest) {
    world.table.close_payment(request.order_id, Epoch::PLACEMENT).await.unwrap();
    world.table.release_stock(request, Epoch::PLACEMENT, Afterwards::Unsettled, now()).await.unwrap();
    world.table.reject_order(request, &declined()).await.unwrap();
}

/// A sample reason for a rejection, which is shown to the customer.
pub fn declined() -> RejectionReason {
    RejectionReason::PaymentDeclined { detail: "Your card was declined.".to_owned() }
}

/// The error if only these quantities of these products are available.
pub fn short(products: &[(u32, i64)]) -> Error {
    let shortage = |(number, available): &(u32, i64)| Shortage {
        product_id: product_id(*number),
        available: *available,
    };
    Error::Rejected(RejectionReason::OutOfStock { lines: products.iter().map(shortage).collect() })
}

/// The item of an order. A test compares it with the item that the table writes.
pub fn item_of_order(placed: &PlacedOrder) -> Item {
    let mut item = item_of(placed);
    with_key(&mut item, ["pk", "sk"], keys::order(placed.customer_id, placed.order.order_id));
    item
}

/// The item of an order in DynamoDB's JSON format.
pub fn written(placed: &PlacedOrder) -> Value {
    serde_json::to_value(item_of_order(placed)).unwrap()
}

/// The price of this quantity of a sample product.
pub fn price(quantity: i64) -> Money {
    let one = product(1, SELLER).draft.price;
    Money { amount: one.amount * quantity, ..one }
}
