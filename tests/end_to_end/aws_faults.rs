//! What AWS does on a bad day, at random: throttles, conflicts, lost answers and timeouts, indexes that lag. Once it is
//! over, stock, money, ratings and concerts are right.

use crate::{
    backend::LAMBDA_ERRORS,
    concerts::{concert, venue},
    orders::{VISA, is_settled, money, order, payments_of, product, stock},
    own_instance::OwnInstance,
    saga::{is_seen, items, windows},
    souk::{Answer, Call, Souk, User, at_once, eventually, unique},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, env};

/// What runs on behalf of a request: the steps of the state machines and their undos.
const STEPS: [&str; 10] = [
    "stock-reserve",
    "payment-authorize",
    "order-confirm",
    "payment-capture",
    "order-undo",
    "band-prepare",
    "venue-prepare",
    "concert-prepare",
    "concert-publish",
    "concert-undo",
];
/// Functions that answer requests.
const FRONTS: [&str; 4] = ["order-place", "order-cancel", "concert-create", "review-create"];

const STOCK: u32 = 12;
const BUYERS: usize = 8;
const ROUNDS: usize = 3;

/// The seed of the faults: `SOUK_E2E_SEED`, or a random number. It is printed, which cargo shows if the test fails.
fn seed() -> u64 {
    let given = env::var("SOUK_E2E_SEED").ok().map(|seed| seed.parse().expect("SOUK_E2E_SEED is a number"));
    let seed = given.unwrap_or_else(|| {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).unwrap();
        u64::from(u32::from_le_bytes(bytes))
    });
    println!("SOUK_E2E_SEED={seed}");
    seed
}

/// Rules for faults of every function that takes part, and of every request to the table.
fn bad_day(seed: u64) -> Value {
    let of = |function: &str, kind: &str, error: Option<&str>, chance: f64| {
        let mut rule = json!({"function": function, "kind": kind, "chance": chance});
        if let Some(error) = error {
            rule["errorType"] = json!(error);
        }
        rule
    };
    let mut rules = Vec::new();
    for step in STEPS {
        rules.push(of(step, "throttle", None, 0.05));
        rules.push(of(step, "timeout", None, 0.02));
        for error in LAMBDA_ERRORS {
            rules.push(of(step, "before", Some(error), 0.02));
            rules.push(of(step, "after", Some(error), 0.02));
        }
    }
    for front in FRONTS {
        rules.push(of(front, "throttle", None, 0.05));
        rules.push(of(front, "after", None, 0.05));
    }
    rules.push(of("rating-average", "throttle", None, 0.1));
    rules.push(of("rating-average", "after", None, 0.1));
    for (kind, chance) in [("conflict", 0.05), ("throttle", 0.02), ("before", 0.01), ("after", 0.01)] {
        rules.push(json!({"request": "*", "kind": kind, "chance": chance}));
    }
    for (rule, seed) in rules.iter_mut().zip(seed..) {
        rule["seed"] = json!(seed);
    }
    json!(rules)
}

/// Sends a request until it is answered otherwise than with an error of the server.
fn insist(souk: &Souk, call: &Call) -> Answer {
    loop {
        let answer = souk.send(call.clone());
        if answer.status < 500 {
            return answer;
        }
    }
}

/// Places and cancels orders, reviews products and creates a concert, as this buyer. Returns the key of the concert.
fn shop(souk: &Souk, number: usize, buyer: &User, products: &[Answer]) -> String {
    for round in 0..ROUNDS {
        let (one, other) = (&products[(number + round) % products.len()], &products[round % products.len()]);
        let lines = if one.text == other.text {
            vec![(one, 2)]
        } else {
            vec![(one, 1), (other, 1 + u32::from(number.is_multiple_of(2)))]
        };
        let call = buyer.call("POST", "/orders").header("idempotency-key", &unique());
        let call = if round == 0 { call } else { call.header("prefer", "wait=10") };
        let placed = insist(souk, &call.json(&order(&lines, VISA)));
        assert!(matches!(placed.status, 201 | 202 | 422), "{placed:?}");
        if number.is_multiple_of(3) && placed.status == 201 {
            let path = format!("{}/cancellation", placed.header("location"));
            let cancelled = insist(souk, &buyer.call("POST", &path));
            assert!(matches!(cancelled.status, 200 | 202), "{cancelled:?}");
        }
        let review = json!({"rating": 1 + (number + round) % 5, "title": "Sweet", "body": "Like at home."});
        let path = format!("{}/reviews", one.header("location"));
        let call = buyer.call("POST", &path).header("idempotency-key", &unique());
        let reviewed = insist(souk, &call.json(&review));
        assert_eq!(reviewed.status, 201, "{reviewed:?}");
    }
    let key = unique();
    let bands = json!([{"name": format!("{key} One")}, {"name": format!("{key} Two")}]);
    let call = buyer.call("POST", "/concerts").header("idempotency-key", &key).header("prefer", "wait=10");
    let asked = insist(souk, &call.json(&concert(&bands, &venue(1.29, 103.85))));
    assert!(matches!(asked.status, 201 | 202 | 422), "{asked:?}");
    key
}

/// Checks that each order of a buyer has ended and that its money agrees with its status. Adds what it sold.
fn check_orders(souk: &Souk, buyer: &User, sold: &mut BTreeMap<String, i64>) {
    for path in souk.walk_as(buyer, "/orders", "orderId").into_iter().flatten() {
        let shown = || souk.send(buyer.call("GET", &format!("/orders/{path}"))).body;
        eventually("the order has ended", || {
            let status = shown()["status"].clone();
            status != "pending" && is_settled(souk, &path)
        });
        let (order, (held, taken, back)) = (shown(), money(souk, &path));
        let confirmed = order["status"] == "confirmed";
        let due = if confirmed { order["total"]["amount"].as_i64().unwrap() } else { 0 };
        assert_eq!((held, taken - back), (0, due), "{order}");
        assert!(payments_of(souk, &path).len() <= 1, "{order}");
        for line in order["lines"].as_array().unwrap().iter().filter(|_| confirmed) {
            let id = line["productId"].as_str().unwrap().to_owned();
            *sold.entry(id).or_default() += line["quantity"].as_i64().unwrap();
        }
    }
}

/// Checks that the rating of a product becomes that of its reviews.
fn check_rating(souk: &Souk, product: &str) {
    let page = souk.get(&format!("{product}/reviews")).body;
    assert!(page["nextCursor"].is_null(), "the reviews are on one page: {page}");
    let mut counted = BTreeMap::from([1, 2, 3, 4, 5].map(|stars| (stars.to_string(), 0)));
    for review in page["items"].as_array().unwrap() {
        *counted.get_mut(&review["rating"].to_string()).unwrap() += 1;
    }
    eventually("the rating is that of the reviews", || {
        souk.get(product).body["rating"]["histogram"] == json!(counted)
    });
}

/// Checks that all of a concert came about, or nothing of it.
fn check_concert(souk: &Souk, user: &User, key: &str) {
    let request = souk.request_of(user, key).expect("the request was recorded");
    let path = format!("/concerts/{}", request["concertId"].as_str().unwrap());
    eventually("the concert is no longer pending", || souk.get(&path).body["status"] != "pending");
    let published = souk.get(&path).body["status"] != "failed";
    eventually("all or nothing of it is seen", || {
        windows(&request).iter().all(|window| is_seen(souk, window) == published)
    });
    assert_eq!(items(souk, &request) > 0, published, "{request}");
}

#[test]
fn after_a_bad_day_of_aws_stock_money_ratings_and_concerts_are_right() {
    let seed = seed();
    let own = OwnInstance::start("e2e-bad-day", &[]);
    let souk = &own.souk;
    let seller = souk.user();
    let products: Vec<Answer> = (0..4).map(|_| product(souk, &seller, STOCK, 650, "SGD")).collect();
    let buyers = at_once(BUYERS, |_| souk.user());
    souk.put_delays(&json!({"retry": 0.01, "wait": 0}));
    souk.set("indexes", &json!({"lagSeconds": 1, "seed": seed}));
    souk.set("express", &json!({"runs": 2}));
    souk.set("authorizer", &json!({"numbers": "any", "seed": seed}));
    souk.put_faults(&bad_day(seed));
    let keys = at_once(BUYERS, |number| shop(souk, number, &buyers[number], &products));
    souk.put_faults(&json!([]));
    souk.set("indexes", &json!({"lagSeconds": 0}));
    souk.set("express", &json!({"runs": 1}));
    let mut sold = BTreeMap::new();
    for (buyer, key) in buyers.iter().zip(&keys) {
        check_orders(souk, buyer, &mut sold);
        check_concert(souk, buyer, key);
    }
    for product in &products {
        let id = product.body["productId"].as_str().unwrap();
        let left = i64::from(STOCK) - sold.get(id).copied().unwrap_or_default();
        assert_eq!(stock(souk, product), left, "{sold:?}");
        check_rating(souk, product.header("location"));
    }
    assert!(!sold.is_empty(), "no order was confirmed");
}

/// Reviews of a product that are changed while the stream is split, and after the table was restored.
#[test]
fn a_rating_counts_on_in_a_split_stream_and_in_a_new_one() {
    let own = OwnInstance::start("e2e-stream", &[]);
    let souk = &own.souk;
    let product = souk.product(&souk.user());
    let path = product.header("location");
    let authors = at_once(6, |_| souk.user());
    let change_all = |round: usize| {
        at_once(authors.len(), |number| {
            let (author, rating) = (&authors[number], 1 + (number + round) % 5);
            let review = format!("{path}/reviews/{}", author.id);
            let call = if round == 0 {
                let body = json!({"rating": rating, "title": "Sweet", "body": "Like at home."});
                author.call("POST", &format!("{path}/reviews")).json(&body)
            } else {
                author.call("PATCH", &review).header("if-match", "*").json(&json!({"rating": rating}))
            };
            let answer = souk.send(call);
            assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        });
        check_rating(souk, path);
    };
    change_all(0);
    souk.set("shards", &json!({"shards": 4}));
    change_all(1);
    change_all(2);
    souk.restore();
    change_all(3);
    change_all(4);
}

/// The page of a product is in the cache, and the function that changes it there reads the index of reviews.
#[test]
fn a_page_shows_a_review_though_its_index_lags() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let product = souk.product(&souk.user());
    let path = product.header("location");
    let shown = |souk: &Souk| souk.get(path).body["reviews"]["items"].as_array().unwrap().len();
    assert_eq!(shown(souk), 0);
    souk.set("indexes", &json!({"lagSeconds": 2}));
    let review = json!({"rating": 4, "title": "Sweet", "body": "Like at home."});
    let call = souk.user().call("POST", &format!("{path}/reviews")).json(&review);
    assert_eq!(souk.send(call).status, 201);
    eventually("the page shows the review", || shown(souk) == 1);
    eventually("the page shows its rating", || souk.get(path).body["rating"]["count"] == 1);
}
