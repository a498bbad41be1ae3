//! `/orders`.

use crate::souk::{Answer, SOUK, Souk, User, draft, eventually, unique};
use serde_json::{Value, json};
use table::keys;

pub const VISA: &str = "pm_card_visa";

/// The body of an order: products and their quantities, their price as the test knows it, and the payment method.
pub fn order(lines: &[(&Answer, u32)], method: &str) -> Value {
    let line = |(product, quantity): &(&Answer, u32)| json!({"productId": product.body["productId"], "quantity": quantity});
    let price = |(product, quantity): &(&Answer, u32)| {
        product.body["price"]["amount"].as_i64().unwrap() * i64::from(*quantity)
    };
    let total = json!({"amount": lines.iter().map(price).sum::<i64>(), "currency": lines[0].0.body["price"]["currency"]});
    let lines: Vec<Value> = lines.iter().map(line).collect();
    json!({"lines": lines, "expectedTotal": total, "paymentMethod": method})
}

/// Places an order and waits until it ends, for ten seconds at most.
pub fn place(souk: &Souk, user: &User, key: &str, order: &Value) -> Answer {
    let call = user.call("POST", "/orders").header("idempotency-key", key).header("prefer", "wait=10");
    souk.send(call.json(order))
}

/// The stock of a product.
pub fn stock(souk: &Souk, product: &Answer) -> i64 {
    let shown = souk.get(product.header("location"));
    assert_eq!(shown.status, 200, "{shown:?}");
    // The product page may come from the cache and be older than the table.
    let id = product.body["productId"].as_str().unwrap().parse().unwrap();
    souk.item(&keys::stock(id))["stock"]["N"].as_str().unwrap().parse().unwrap()
}

/// A new product with this stock and price.
pub fn product(souk: &Souk, seller: &User, stock: u32, amount: u32, currency: &str) -> Answer {
    let mut draft = draft();
    draft["stock"] = json!(stock);
    draft["price"] = json!({"amount": amount, "currency": currency});
    souk.product_of(seller, &draft)
}

/// The payments of an order.
pub fn payments_of(souk: &Souk, order: &str) -> Vec<Value> {
    souk.payments().into_iter().filter(|payment| payment["metadata"]["order_id"] == order).collect()
}

/// Whether an order has no entry in the list of unsettled orders.
pub fn is_settled(souk: &Souk, order: &str) -> bool {
    souk.item(&keys::unsettled(order.parse().unwrap())).is_null()
}

/// The amounts of an order's payments that are held, captured and refunded.
pub fn money(souk: &Souk, order: &str) -> (i64, i64, i64) {
    let number = |value: &Value| value.as_i64().unwrap();
    payments_of(souk, order).iter().fold((0, 0, 0), |(held, taken, back), payment| {
        let refunded = souk.refunded(payment);
        (
            held + number(&payment["amount_capturable"]),
            taken + number(&payment["amount_received"]),
            back + refunded,
        )
    })
}

fn id(order: &Answer) -> &str {
    order.header("location").strip_prefix("/orders/").expect("the answer tells where the order is")
}

#[test]
fn an_order_is_placed_paid_and_read() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let (jam, tea) = (product(&SOUK, &seller, 3, 650, "SGD"), product(&SOUK, &seller, 9, 1250, "SGD"));
    let placed = place(&SOUK, &buyer, &unique(), &order(&[(&jam, 2), (&tea, 1)], VISA));
    assert_eq!((placed.status, placed.header("preference-applied")), (201, "wait=10"), "{placed:?}");
    assert_eq!(placed.body["status"], "confirmed");
    assert_eq!(placed.body["total"], json!({"amount": 2550, "currency": "SGD"}));
    let line = json!({"productId": jam.body["productId"], "name": "Kaya jam", "quantity": 2,
        "unitPrice": {"amount": 650, "currency": "SGD"}, "lineTotal": {"amount": 1300, "currency": "SGD"}});
    assert_eq!(placed.body["lines"][0], line);
    assert_eq!((stock(&SOUK, &jam), stock(&SOUK, &tea)), (1, 8));
    let read = SOUK.send(buyer.call("GET", placed.header("location")));
    assert_eq!((&read.body, read.header("etag")), (&placed.body, "\"2\""));
    let known = buyer.call("GET", placed.header("location")).header("if-none-match", "\"2\"");
    assert_eq!(SOUK.send(known).status, 304);
    SOUK.send(SOUK.user().call("GET", placed.header("location"))).problem(404, "not-found");
    eventually("the order is settled", || is_settled(&SOUK, id(&placed)));
    assert_eq!(money(&SOUK, id(&placed)), (0, 2550, 0));
    eventually("the page shows what is left", || SOUK.get(jam.header("location")).body["stock"] == 1);
}

#[test]
fn an_order_goes_on_when_nobody_waits() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let jam = product(&SOUK, &seller, 1, 650, "SGD");
    let call = buyer.call("POST", "/orders").header("idempotency-key", &unique());
    let asked = SOUK.send(call.json(&order(&[(&jam, 1)], VISA)));
    assert_eq!(
        (asked.status, &asked.body["status"], asked.header("etag")),
        (202, &json!("pending"), "\"1\"")
    );
    eventually("it is confirmed", || {
        SOUK.send(buyer.call("GET", asked.header("location"))).body["status"] == "confirmed"
    });
}

#[test]
fn lines_that_cannot_be_ordered_are_faults() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let (jam, tea) = (product(&SOUK, &seller, 3, 650, "SGD"), product(&SOUK, &seller, 9, 1250, "EUR"));
    let gone = product(&SOUK, &seller, 9, 1, "SGD");
    let withdrawn = seller.call("DELETE", gone.header("location")).header("if-match", gone.header("etag"));
    assert_eq!(SOUK.send(withdrawn).status, 204);
    let send = |body: &Value| place(&SOUK, &buyer, &unique(), body);
    let refused = send(&order(&[(&jam, 1), (&gone, 1), (&tea, 1)], VISA));
    assert_eq!(refused.problem(400, "validation").faults(), ["/lines/1/productId", "/lines/2/productId"]);
    let card = send(&order(&[(&jam, 1)], "4242424242424242"));
    assert_eq!(card.problem(400, "validation").faults(), ["/paymentMethod"]);
    assert!(!card.text.contains("4242"), "{card:?}");
    let priced = json!({"lines": [{"productId": jam.body["productId"], "quantity": 0, "unitPrice": 1}], "paymentMethod": VISA});
    let call = buyer.call("POST", "/orders").json(&priced);
    let faults = SOUK.send(call);
    let expected = ["/expectedTotal", "/lines/0/quantity", "/lines/0/unitPrice", "Idempotency-Key"];
    assert_eq!(faults.problem(400, "validation").faults(), expected);
    assert_eq!(SOUK.send(buyer.call("GET", "/orders")).body, json!({"items": []}));
}

#[test]
fn a_price_that_changed_since_it_was_seen_orders_nothing() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let (jam, tea) = (product(&SOUK, &seller, 3, 650, "SGD"), product(&SOUK, &seller, 9, 1250, "SGD"));
    let (key, seen) = (unique(), order(&[(&jam, 2), (&tea, 1)], VISA));
    let change = seller.call("PATCH", jam.header("location")).header("if-match", jam.header("etag"));
    assert_eq!(SOUK.send(change.json(&json!({"price": {"amount": 700}}))).status, 200);
    let refused = place(&SOUK, &buyer, &key, &seen);
    refused.problem(409, "price-changed");
    assert_eq!(refused.body["total"], json!({"amount": 2650, "currency": "SGD"}));
    let prices = [0, 1].map(|line| refused.body["lines"][line]["unitPrice"]["amount"].as_i64().unwrap());
    assert_eq!(prices, [700, 1250]);
    assert_eq!(SOUK.send(buyer.call("GET", "/orders")).body, json!({"items": []}));
    assert_eq!((stock(&SOUK, &jam), stock(&SOUK, &tea)), (3, 9));
    // The key is free: it orders at the current prices.
    let mut agreed = seen;
    agreed["expectedTotal"] = refused.body["total"].clone();
    let placed = place(&SOUK, &buyer, &key, &agreed);
    assert_eq!((placed.status, &placed.body["total"]), (201, &agreed["expectedTotal"]), "{placed:?}");
    // A repeated request is answered with its order, whatever the price is by then.
    let change = seller.call("PATCH", jam.header("location")).header("if-match", "*");
    assert_eq!(SOUK.send(change.json(&json!({"price": {"amount": 1}}))).status, 200);
    let again = place(&SOUK, &buyer, &key, &agreed);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.body, placed.body);
}

#[test]
fn an_order_of_more_than_there_is_takes_nothing() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let (jam, tea) = (product(&SOUK, &seller, 3, 650, "SGD"), product(&SOUK, &seller, 1, 1250, "SGD"));
    let (key, body) = (unique(), order(&[(&jam, 2), (&tea, 2)], VISA));
    let refused = place(&SOUK, &buyer, &key, &body);
    assert_eq!(refused.problem(422, "order-rejected").faults(), ["/lines/1"]);
    assert_eq!((stock(&SOUK, &jam), stock(&SOUK, &tea)), (3, 1));
    let shown = SOUK.send(buyer.call("GET", refused.header("location")));
    let reason =
        json!({"code": "outOfStock", "lines": [{"productId": tea.body["productId"], "available": 1}]});
    assert_eq!((&shown.body["status"], &shown.body["reason"]), (&json!("rejected"), &reason));
    assert!(payments_of(&SOUK, id(&refused)).is_empty() && is_settled(&SOUK, id(&refused)));
    // The same request with the same key is answered with the same order, whatever the stock is by then.
    let again = place(&SOUK, &buyer, &key, &body);
    assert_eq!(again.problem(422, "order-rejected").header("idempotency-replayed"), "true");
    let cancelled = SOUK.send(buyer.call("POST", &format!("{}/cancellation", refused.header("location"))));
    assert!(cancelled.problem(409, "conflict").text.contains("rejected"));
}

#[test]
fn a_payment_that_is_declined_gives_the_stock_back() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let jam = product(&SOUK, &seller, 3, 650, "SGD");
    let method = "pm_card_visa_chargeDeclinedInsufficientFunds";
    let refused = place(&SOUK, &buyer, &unique(), &order(&[(&jam, 2)], method));
    refused.problem(422, "order-rejected");
    let shown = SOUK.send(buyer.call("GET", refused.header("location")));
    assert_eq!(shown.body["reason"]["code"], "paymentDeclined", "{shown:?}");
    assert!(refused.body["detail"].as_str().unwrap().contains("funds"), "{refused:?}");
    assert_eq!((stock(&SOUK, &jam), is_settled(&SOUK, id(&refused))), (3, true));
    assert_eq!(money(&SOUK, id(&refused)), (0, 0, 0));
    let payments = payments_of(&SOUK, id(&refused));
    assert_eq!(payments.iter().map(|payment| &payment["status"]).collect::<Vec<_>>(), ["canceled"]);
}

#[test]
fn a_confirmed_order_is_cancelled_once() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let jam = product(&SOUK, &seller, 3, 650, "SGD");
    let placed = place(&SOUK, &buyer, &unique(), &order(&[(&jam, 2)], VISA));
    assert_eq!(placed.status, 201, "{placed:?}");
    let path = format!("{}/cancellation", placed.header("location"));
    SOUK.send(SOUK.user().call("POST", &path)).problem(404, "not-found");
    let answers = crate::souk::at_once(8, |_| SOUK.send(buyer.call("POST", &path)));
    for cancelled in &answers {
        assert_eq!(
            (cancelled.status, &cancelled.body["status"]),
            (200, &json!("cancelled")),
            "{cancelled:?}"
        );
        assert_eq!(cancelled.header("etag"), "\"3\"");
    }
    eventually("stock and money are back", || is_settled(&SOUK, id(&placed)));
    assert_eq!(stock(&SOUK, &jam), 3);
    let (held, taken, back) = money(&SOUK, id(&placed));
    assert_eq!((held, taken - back), (0, 0), "taken {taken}, given back {back}");
    assert_eq!(SOUK.send(buyer.call("POST", &path)).status, 200);
    assert_eq!(SOUK.send(buyer.call("GET", placed.header("location"))).body["status"], "cancelled");
}

#[test]
fn a_customer_sees_the_own_orders_newest_first() {
    let (seller, buyer, other) = (SOUK.user(), SOUK.user(), SOUK.user());
    let jam = product(&SOUK, &seller, 2, 650, "SGD");
    let ids: Vec<String> =
        (0..5).map(|_| id(&place(&SOUK, &buyer, &unique(), &order(&[(&jam, 1)], VISA))).to_owned()).collect();
    let newest: Vec<String> = ids.iter().rev().cloned().collect();
    let walk = |first: &str| {
        let (mut next, mut found) = (Some(first.to_owned()), Vec::new());
        while let Some(path) = next {
            let page = SOUK.send(buyer.call("GET", &path));
            assert_eq!(page.status, 200, "{page:?}");
            found.extend(
                page.body["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|order| order["orderId"].as_str().unwrap().to_owned()),
            );
            let link =
                page.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
            next = link.map(str::to_owned);
        }
        found
    };
    assert_eq!(walk("/orders?limit=2"), newest);
    assert_eq!(walk("/orders?status=confirmed&limit=1"), newest[3..]);
    assert_eq!(walk("/orders?status=rejected&limit=2"), newest[..3]);
    assert_eq!(SOUK.send(other.call("GET", "/orders")).body, json!({"items": []}));
    let wrong = SOUK.send(buyer.call("GET", "/orders?status=lost&limit=0&colour=red"));
    assert_eq!(wrong.problem(400, "validation").faults(), ["colour", "limit", "status"]);
    let cursor = SOUK.send(buyer.call("GET", "/orders?limit=2")).body["nextCursor"].clone();
    let moved = SOUK
        .send(buyer.call("GET", &format!("/orders?status=confirmed&cursor={}", cursor.as_str().unwrap())));
    assert_eq!(moved.problem(400, "validation").faults(), ["cursor"]);
}
