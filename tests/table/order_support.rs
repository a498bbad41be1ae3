//! Orders for tests: the same number makes the same one.

use domain::{
    Error, Money,
    id::{Id, OrderId},
    order::{OrderDraft, OrderRequest, Placed, Reason, Shortage, Status, Wanted},
    payment::{PaymentId, PaymentMethod},
    product::Product,
};
use dynoxide::Item;
use serde_json::{Value, json};
use table::{Afterwards, keys};
use tests::{
    World,
    items::{item_of, with_key},
    samples::{caller, later, now, once, product, product_id},
};

/// Who sells all products, and who buys them.
pub const SELLER: u32 = 7;
pub const CUSTOMER: u32 = 5;

/// What the errors of table methods say.
pub const NO_ORDER: Error = Error::NotFound { what: "order" };
pub const UNDONE: Error = Error::Conflict { detail: "The order is being undone." };

/// An order's id; a higher number is a later one, and its last digit that of the number.
pub fn order_id(number: u32) -> OrderId {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    OrderId::new(later(number.into()), random)
}

/// A payment; what the provider calls it is as long as the real one's.
pub fn payment(number: u32) -> PaymentId {
    PaymentId::new(format!("pi_{number:024}"))
}

/// An order of so many of these products, of the sample customer.
pub fn placed(number: u32, lines: &[(u32, i64)]) -> Placed {
    placed_by(CUSTOMER, number, lines)
}

pub fn placed_by(customer: u32, number: u32, lines: &[(u32, i64)]) -> Placed {
    let known = lines.iter().map(|(number, _)| (product_id(*number), product(*number, SELLER))).collect();
    let wanted =
        |(number, quantity): &(u32, i64)| Wanted { product_id: product_id(*number), quantity: *quantity };
    let payment_method = PaymentMethod::from_value(json!("pm_1SVfXnEjUtQc7b1q0aBcDeFg")).unwrap();
    let draft = OrderDraft { lines: lines.iter().map(wanted).collect(), payment_method };
    draft.place(order_id(number), &caller(customer), later(number.into()), &known).unwrap()
}

/// An order of one of each of the first ten products.
pub fn placed_of_10(number: u32) -> Placed {
    let lines: Vec<(u32, i64)> = (1..=10).map(|product| (product, 1)).collect();
    placed(number, &lines)
}

/// The same order in another status, as it would be after so many changes.
pub fn in_status(mut placed: Placed, status: Status) -> Placed {
    placed.order.version = match status {
        Status::Pending => 1,
        Status::Confirmed | Status::Rejected => 2,
        Status::Cancelled => 3,
    };
    placed.order.status = status;
    placed.payment = matches!(status, Status::Confirmed | Status::Cancelled).then(|| payment(1));
    placed
}

/// Publishes a product of which there are so many.
pub async fn stocked(world: &World, number: u32, stock: i64) -> Product {
    let mut product = product(number, SELLER);
    product.draft.stock = stock;
    world.publish(&product).await;
    product
}

/// Publishes the first ten products, of each of which there are so many.
pub async fn stocked_10(world: &World, stock: i64) {
    for number in 1..=10 {
        stocked(world, number, stock).await;
    }
}

/// How many there are of a product; nothing when it is gone.
pub fn stock(world: &World, number: u32) -> Option<i64> {
    world.item(&keys::product(product_id(number)))["stock"]["N"].as_str().map(|stock| stock.parse().unwrap())
}

/// The entry of an unsettled order; null when there is none.
pub fn entry(world: &World, number: u32) -> Value {
    world.item(&keys::unsettled(order_id(number)))
}

/// What an entry says, beside its keys and its customer.
pub fn marks(world: &World, number: u32) -> Vec<String> {
    let entry = entry(world, number);
    let names = entry.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let mut names: Vec<_> = names.filter(|name| !["pk", "sk", "customerId"].contains(&&**name)).collect();
    names.sort();
    names
}

/// How an order stands.
pub async fn status(world: &World, placed: &Placed) -> Status {
    world.table.order(placed.customer_id, placed.order.order_id).await.unwrap().order.status
}

/// Records an order under a key of its own.
pub async fn record(world: &World, placed: &Placed) -> OrderRequest {
    let key = once(&placed.order.order_id.to_string(), 1);
    world.table.record_order(placed, &key).await.unwrap();
    placed.request()
}

/// Records an order and takes its stock.
pub async fn reserve(world: &World, placed: &Placed) -> OrderRequest {
    let request = record(world, placed).await;
    world.table.reserve_stock(&request, now()).await.unwrap();
    request
}

/// Records an order, takes its stock and begins its payment, which has its number.
pub async fn begin(world: &World, placed: &Placed, payment: &PaymentId) -> OrderRequest {
    let request = reserve(world, placed).await;
    world.table.begin_payment(request.order_id, payment).await.unwrap();
    request
}

/// Brings an order to its confirmation; the order as it is then, its entry still there.
pub async fn confirm(world: &World, placed: &Placed, payment: &PaymentId) -> Placed {
    let request = begin(world, placed, payment).await;
    world.table.confirm_order(&request, payment).await.unwrap();
    world.table.order(placed.customer_id, placed.order.order_id).await.unwrap()
}

/// What the machine does when it undoes an order that was not confirmed.
pub async fn undo(world: &World, request: &OrderRequest) {
    world.table.close_payment(request.order_id).await.unwrap();
    world.table.release_stock(request, Afterwards::Unsettled, now()).await.unwrap();
    world.table.reject_order(request, &declined()).await.unwrap();
}

/// A reason of which the customer is told.
pub fn declined() -> Reason {
    Reason::PaymentDeclined { detail: "Your card was declined.".to_owned() }
}

/// What is said when there are only so many of these products.
pub fn short(products: &[(u32, i64)]) -> Error {
    let shortage = |(number, available): &(u32, i64)| Shortage {
        product_id: product_id(*number),
        available: *available,
    };
    Error::Rejected(Reason::OutOfStock { lines: products.iter().map(shortage).collect() })
}

/// The item of an order; a test holds it to what is really written.
pub fn item_of_order(placed: &Placed) -> Item {
    let mut item = item_of(placed);
    with_key(&mut item, ["pk", "sk"], keys::order(placed.customer_id, placed.order.order_id));
    item
}

/// The item of an order, as DynamoDB writes it down.
pub fn written(placed: &Placed) -> Value {
    serde_json::to_value(item_of_order(placed)).unwrap()
}

/// The price of so many sample products.
pub fn price(quantity: i64) -> Money {
    let one = product(1, SELLER).draft.price;
    Money { amount: one.amount * quantity, ..one }
}
