//! `PUT /products/{productId}/stock`, and sellers who change a product while it is ordered.

use crate::{
    orders::{VISA, order, place, product, stock},
    own_instance::OwnInstance,
    souk::{Answer, Call, SOUK, User, at_once, draft, eventually, unique},
};
use redis::Commands;
use serde_json::{Value, json};

fn path(product: &Answer) -> String {
    format!("{}/stock", product.header("location"))
}

fn set(seller: &User, product: &Answer, stock: i64) -> Answer {
    SOUK.send(seller.call("PUT", &path(product)).json(&json!({"stock": stock})))
}

fn add(seller: &User, product: &Answer, delta: i64, key: &str) -> Answer {
    let call = seller.call("PUT", &path(product)).header("idempotency-key", key);
    SOUK.send(call.json(&json!({"delta": delta})))
}

#[test]
fn stock_is_counted_and_delivered() {
    let (seller, category) = (SOUK.user(), unique());
    let mut jam = draft();
    jam["category"] = json!(category);
    let jam = SOUK.product_of(&seller, &jam);
    let counted = set(&seller, &jam, 12);
    assert_eq!((counted.status, &counted.body["stock"]), (200, &json!(12)), "{counted:?}");
    assert_eq!(counted.body["productId"], jam.body["productId"]);
    let added = add(&seller, &jam, 10, &unique());
    assert_eq!((added.status, &added.body["stock"]), (200, &json!(22)));
    let taken = add(&seller, &jam, -22, &unique());
    assert_eq!((taken.status, &taken.body["stock"]), (200, &json!(0)));
    let page = SOUK.get(jam.header("location"));
    assert_eq!((&page.body["stock"], &page.body["version"]), (&json!(0), &json!(1)));
    for list in [format!("category={category}"), format!("seller={}", seller.id)] {
        let listed = SOUK.get(&format!("/products?{list}")).body;
        let shown = (&listed["items"][0]["productId"], &listed["items"][0]["stock"]);
        assert_eq!(shown, (&jam.body["productId"], &json!(0)), "{list}");
    }
}

#[test]
fn a_delta_counts_once_for_each_key() {
    let seller = SOUK.user();
    let jam = SOUK.product(&seller);
    let key = unique();
    let answers = at_once(10, |_| add(&seller, &jam, 5, &key));
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    assert_eq!(stock(&SOUK, &jam), 8);
    add(&seller, &jam, 6, &key).problem(422, "idempotency-mismatch");
    let keys: Vec<String> = (0..10).map(|_| unique()).collect();
    let answers = at_once(10, |number| {
        loop {
            // Ten transactions on one item at once: some are given up after their retries.
            let answer = add(&seller, &jam, 1, &keys[number]);
            if answer.status != 503 {
                break answer;
            }
        }
    });
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(stock(&SOUK, &jam), 18);
}

#[test]
fn a_delta_that_leaves_less_than_none_is_refused() {
    let seller = SOUK.user();
    let jam = SOUK.product(&seller);
    let key = unique();
    let refused = add(&seller, &jam, -4, &key);
    let detail = refused.problem(409, "conflict").body["detail"].as_str().unwrap();
    assert!(detail.starts_with("There are 3 in stock"), "{detail}");
    add(&seller, &jam, 999_999_999, &unique()).problem(409, "conflict");
    assert_eq!(stock(&SOUK, &jam), 3);
    assert_eq!(add(&seller, &jam, -3, &key).body["stock"], 0, "only a success uses up the key");
}

#[test]
fn every_fault_of_a_stock_is_named() {
    let seller = SOUK.user();
    let jam = SOUK.product(&seller);
    let send = |key: &str, body: &Value| {
        let call = seller.call("PUT", &path(&jam)).json(body);
        SOUK.send(if key.is_empty() { call } else { call.header("idempotency-key", key) })
    };
    for (key, body, faults) in [
        (
            "a b",
            json!({"stock": -1, "delta": 1.5, "units": 1}),
            vec!["", "/delta", "/stock", "/units", "Idempotency-Key"],
        ),
        ("", json!({}), vec![""]),
        ("", json!({"stock": 1, "delta": 1}), vec![""]),
        ("", json!({"delta": 1}), vec!["Idempotency-Key"]),
    ] {
        assert_eq!(send(key, &body).problem(400, "validation").faults(), faults, "{body}");
    }
    assert_eq!(stock(&SOUK, &jam), 3);
}

#[test]
fn only_the_seller_sets_the_stock_of_a_product_that_is_there() {
    let (seller, other) = (SOUK.user(), SOUK.user());
    let jam = SOUK.product(&seller);
    set(&other, &jam, 1).problem(403, "forbidden");
    add(&other, &jam, 1, &unique()).problem(403, "forbidden");
    let anonymous = SOUK.send(Call::new("PUT", &path(&jam)).json(&json!({"stock": 1})));
    assert_eq!((anonymous.status, stock(&SOUK, &jam)), (401, 3));
    let withdraw = seller.call("DELETE", jam.header("location")).header("if-match", "*");
    assert_eq!(SOUK.send(withdraw).status, 204);
    set(&seller, &jam, 1).problem(404, "not-found");
}

/// Forty customers buy while the seller changes the price of the version last seen, and that of any version.
#[test]
fn selling_does_not_stop_editing() {
    let (seller, buyer) = (SOUK.user(), SOUK.user());
    let jam = product(&SOUK, &seller, 40, 650, "SGD");
    let tea = product(&SOUK, &seller, 40, 650, "SGD");
    let change = |of: &Answer, seen: &str, name: &str| {
        let call = seller.call("PATCH", of.header("location")).header("if-match", seen);
        SOUK.send(call.json(&json!({"name": name})))
    };
    let statuses = at_once(10, |number| {
        if number > 1 {
            let body = order(&[(&jam, 1), (&tea, 1)], VISA);
            return (0..5).map(|_| place(&SOUK, &buyer, &unique(), &body).status).collect::<Vec<_>>();
        }
        let mut seen = "\"1\"".to_owned();
        let edits = (0..20).map(|edit| {
            let answer = if number == 0 {
                change(&jam, &seen, &format!("Jam {edit}"))
            } else {
                change(&tea, "*", &format!("Tea {edit}"))
            };
            seen = answer.headers.get("etag").map_or(String::new(), |tag| tag.to_str().unwrap().to_owned());
            answer.status
        });
        edits.collect()
    });
    assert_eq!(statuses[..2].concat(), [200; 40], "no change is stale");
    assert!(statuses[2..].concat().iter().all(|status| matches!(status, 201 | 202)), "{statuses:?}");
    eventually("all are sold", || (stock(&SOUK, &jam), stock(&SOUK, &tea)) == (0, 0));
    let page = SOUK.get(jam.header("location"));
    assert_eq!((&page.body["version"], &page.body["name"]), (&json!(21), &json!("Jam 19")));
}

#[test]
fn changes_of_any_version_all_succeed() {
    let seller = SOUK.user();
    let jam = SOUK.product(&seller);
    let answers = at_once(4, |number| {
        let call = seller.call("PATCH", jam.header("location")).header("if-match", "*");
        SOUK.send(call.json(&json!({"name": format!("Jam {number}")})))
    });
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(SOUK.get(jam.header("location")).body["version"], 5);
}

/// No cached page shows an older stock than the seller was told.
#[test]
fn a_seller_reads_the_stock_that_was_set() {
    let own = OwnInstance::lease(&[]);
    let (souk, mut cache) = (&own.souk, own.cache());
    let seller = souk.user();
    let jam = souk.product(&seller);
    let key = format!("product:{}", jam.body["productId"].as_str().unwrap());
    eventually("the stream has warmed the cache", || cache.hexists(&key, "place").unwrap());
    let tag = souk.get(jam.header("location")).header("etag").to_owned();
    let (mut version, mut heard) = (1, 0);
    for stock in 10..40 {
        let told = souk.send(seller.call("PUT", &path(&jam)).json(&json!({"stock": stock})));
        assert_eq!((told.status, &told.body["stock"]), (200, &json!(stock)), "{told:?}");
        version += 1;
        // The invalidation waits at most 20 ms for the cache. If it was lost, cache-warm replaces the page.
        if cache.hget::<_, _, Option<u64>>(&key, "stock").unwrap() >= Some(version) {
            heard += 1;
            assert_eq!(souk.get(jam.header("location")).body["stock"], stock);
        } else {
            eventually("the stream has told the cache", || {
                souk.get(jam.header("location")).body["stock"] == stock
            });
        }
    }
    assert!(heard > 15, "the cache heard of {heard} changes of 30");
    let known = souk.send(Call::new("GET", jam.header("location")).header("if-none-match", &tag));
    assert_eq!((known.status, &known.body["version"]), (200, &json!(1)), "a stock is another representation");
}
