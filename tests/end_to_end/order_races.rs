//! Concurrent orders: of many customers, and of one request sent many times.

use crate::{
    orders::{VISA, is_settled, money, order, payments_of, place, product, stock},
    own_instance::OwnInstance,
    souk::{SOUK, User, at_once, eventually, unique},
};
use serde_json::{Value, json};

/// The number of orders; all of them are sent at once.
const ORDERS: usize = 200;

#[test]
fn exactly_50_of_200_orders_get_one_of_50() {
    let own = OwnInstance::start("e2e-buyers", &[]);
    let souk = &own.souk;
    let jam = product(souk, &souk.user(), 50, 650, "SGD");
    // Ten orders each: a log-in costs more than an order.
    let users = at_once(ORDERS / 10, |_| souk.user());
    let buyers: Vec<&User> = users.iter().cycle().take(ORDERS).collect();
    let body = order(&[(&jam, 1)], VISA);
    let asked = at_once(ORDERS, |number| {
        let call =
            buyers[number].call("POST", "/orders").header("idempotency-key", &number.to_string()).json(&body);
        // The emulator is slow under this load: a request that fails or times out is sent again with the same key.
        loop {
            let answer = souk.send(call.clone());
            if answer.status < 500 {
                break answer;
            }
        }
    });
    let orders: Vec<(&User, &str)> = buyers
        .iter()
        .copied()
        .zip(asked.iter().map(|asked| {
            // When a request is sent again, the order may already have been rejected (422).
            assert!(matches!(asked.status, 201 | 202 | 422), "{asked:?}");
            asked.header("location")
        }))
        .collect();
    let mut ended: Vec<Value> = Vec::new();
    for (buyer, path) in orders {
        eventually("the order has ended", || {
            let shown = souk.send(buyer.call("GET", path)).body;
            let done = shown["status"] != "pending";
            ended.extend(done.then_some(shown));
            done
        });
    }
    let confirmed: Vec<&Value> = ended.iter().filter(|order| order["status"] == "confirmed").collect();
    for rejected in ended.iter().filter(|order| order["status"] != "confirmed") {
        assert_eq!(rejected["status"], "rejected", "{rejected}");
        assert!(matches!(rejected["reason"]["code"].as_str(), Some("outOfStock" | "failed")), "{rejected}");
    }
    let failed = ended.iter().filter(|order| order["reason"]["code"] == "failed").count();
    assert!(failed <= ORDERS / 10, "{failed} orders failed");
    // An order whose steps failed more often than they are retried, which happens on a slow machine, is `failed`. What it
    // had reserved went to another order, or is in stock if it was the last one.
    let sold = confirmed.len();
    assert!((50 - failed..=50).contains(&sold), "{sold} orders of 50 are confirmed, {failed} failed");
    eventually("the rest is in stock", || stock(souk, &jam) == i64::try_from(50 - sold).unwrap());
    eventually("no order is unsettled", || {
        table::keys::SHARDS.chars().all(|shard| souk.items_in(&table::keys::unsettled_partition(shard)) == 0)
    });
    let payments = souk.payments();
    let paid: Vec<&Value> = payments.iter().filter(|payment| payment["status"] == "succeeded").collect();
    assert_eq!(paid.len(), sold, "{payments:?}");
    // The payment of an order that failed was voided.
    assert!(payments.len() <= sold + failed, "{payments:?}");
    assert!(
        payments.iter().all(
            |payment| ["succeeded", "canceled"].contains(&payment["status"].as_str().unwrap_or_default())
        ),
        "{payments:?}"
    );
}

#[test]
fn one_key_20_times_at_once_is_one_order_and_one_payment() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let jam = product(&SOUK, &seller, 50, 650, "SGD");
    let (key, body) = (unique(), order(&[(&jam, 2)], VISA));
    let answers = at_once(20, |number| {
        let call = buyer.call("POST", "/orders").header("idempotency-key", &key);
        SOUK.send(if number % 2 == 0 { call.header("prefer", "wait=10") } else { call }.json(&body))
    });
    let location = answers[0].header("location").to_owned();
    for answer in &answers {
        assert!(matches!(answer.status, 201 | 202), "{answer:?}");
        assert_eq!(answer.header("location"), location);
    }
    let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
    assert_eq!(first, 1);
    let id = location.strip_prefix("/orders/").unwrap();
    eventually("the order is settled", || is_settled(&SOUK, id));
    assert_eq!((stock(&SOUK, &jam), money(&SOUK, id)), (48, (0, 1300, 0)));
    assert_eq!(payments_of(&SOUK, id).len(), 1);
    let again = place(&SOUK, &buyer, &key, &body);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    place(&SOUK, &buyer, &key, &order(&[(&jam, 3)], VISA)).problem(422, "idempotency-mismatch");
    assert_eq!(SOUK.send(buyer.call("GET", "/orders")).body["items"].as_array().unwrap().len(), 1);
}

/// Step Functions may run an asynchronous EXPRESS execution more than once, also at the same time.
#[test]
fn executions_of_one_order_at_the_same_time_take_stock_and_money_once() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let jam = product(souk, &souk.user(), 30, 650, "SGD");
    let buyers = at_once(8, |_| souk.user());
    souk.put_delays(&json!({"retry": 0.01, "wait": 0}));
    souk.set("express", &json!({"runs": 4}));
    let orders = at_once(buyers.len(), |number| {
        let call = buyers[number].call("POST", "/orders").header("idempotency-key", "one");
        let asked = souk.send(call.json(&order(&[(&jam, 2)], VISA)));
        assert_eq!(asked.status, 202, "{asked:?}");
        asked.header("location").to_owned()
    });
    for (buyer, path) in buyers.iter().zip(&orders) {
        let id = path.strip_prefix("/orders/").unwrap();
        eventually("the order is confirmed and settled", || {
            souk.send(buyer.call("GET", path)).body["status"] == "confirmed" && is_settled(souk, id)
        });
        assert_eq!((money(souk, id), payments_of(souk, id).len()), ((0, 1300, 0), 1));
    }
    assert_eq!(stock(souk, &jam), 14);
    at_once(buyers.len(), |number| {
        let path = format!("{}/cancellation", orders[number]);
        assert_eq!(souk.send(buyers[number].call("POST", &path)).status, 200);
    });
    for path in &orders {
        let id = path.strip_prefix("/orders/").unwrap();
        eventually("the cancellation is settled", || is_settled(souk, id));
        assert_eq!(money(souk, id), (0, 1300, 1300));
    }
    assert_eq!(stock(souk, &jam), 30);
}
