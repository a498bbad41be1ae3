//! Product pages from the cache: they are never stale, and a failed cache does not fail a request.

use crate::{
    own_instance::OwnInstance,
    souk::{Answer, Call, Souk, User, eventually},
};
use redis::Commands;
use serde_json::{Value, json};

fn patch(souk: &Souk, seller: &User, path: &str, stock: u64) -> Answer {
    souk.send(seller.call("PATCH", path).header("if-match", "*").json(&json!({"stock": stock})))
}

/// The read units that a request for a product consumed, from the function's log.
fn read_units(own: &OwnInstance, answer: &Answer) -> f64 {
    own.log_line("product-get", answer.header("x-request-id"))["ReadUnits"].as_f64().unwrap()
}

#[test]
fn a_hit_reads_nothing_and_is_never_older_than_what_was_written() {
    let own = OwnInstance::lease(&[]);
    let (souk, mut cache) = (&own.souk, own.cache());
    let seller = souk.user();
    let product = souk.product(&seller);
    let (path, id) = (product.header("location"), product.body["productId"].as_str().unwrap());
    let key = format!("product:{id}");

    eventually("the stream has warmed the cache", || cache.hexists(&key, "place").unwrap());
    // The function waits 20 ms for the cache at most, which the first connection may exceed on a busy machine.
    eventually("a page is read from the cache alone", || read_units(&own, &souk.get(path)) == 0.0);
    let warm = souk.get(path);
    assert_eq!(warm.status, 200);
    let fresh = souk.send(Call::new("GET", path).header("cache-control", "no-cache"));
    assert_eq!((&fresh.body, fresh.headers.get("etag")), (&warm.body, warm.headers.get("etag")));
    assert!(read_units(&own, &fresh) > 0.0);
    eventually("a known page is answered from the cache alone", || {
        let known = souk.send(Call::new("GET", path).header("if-none-match", warm.header("etag")));
        assert_eq!(known.status, 304);
        read_units(&own, &known) == 0.0
    });

    // A seller reads their own change at once, unless the invalidation was lost: then cache-warm replaces the entry
    // when the stream delivers the change.
    let mut heard = 0;
    for stock in 10..40 {
        let changed = patch(souk, &seller, path, stock);
        assert_eq!(changed.status, 200, "{changed:?}");
        let told: Option<u64> = cache.hget(&key, "version").unwrap();
        if told >= changed.body["version"].as_u64() {
            heard += 1;
            assert_eq!(souk.get(path).body["stock"], stock);
        } else {
            eventually("the stream has told the cache", || souk.get(path).body["stock"] == stock);
        }
    }
    assert!(heard > 15, "the cache heard of {heard} changes of 30");
    // An entry that is not this product's page is ignored and replaced.
    for wrong in ["", "x", "\"1\"\n{}", "\"9\"\n{\"productId\":\"018bcfe5-6800-7000-8000-000000000000\"}"] {
        let _: i64 = cache.hset(&key, "page", wrong).unwrap();
        let answer = souk.get(path);
        assert_eq!((answer.status, &answer.body["stock"]), (200, &json!(39)), "{wrong}");
    }
    a_visitors_price_is_put_into_the_page(&own, &seller);
    assert_eq!(souk.send(seller.call("DELETE", path).header("if-match", "*")).status, 204);
    souk.get(path).problem(404, "not-found");
    eventually("the stream has told the cache", || {
        let page: Option<String> = cache.hget(&key, "page").unwrap();
        page.is_none()
    });
    souk.get(path).problem(404, "not-found");
}
/// A hit of a product in an experiment reads nothing either, before, during and after the experiment.
fn a_visitors_price_is_put_into_the_page(own: &OwnInstance, seller: &User) {
    let souk = &own.souk;
    let product = souk.product(seller);
    let (path, id) = (product.header("location"), &product.body["productId"]);
    let visitor = souk.send(Call::new("POST", "/visitors"));
    let token = visitor.body["token"].as_str().unwrap();
    let price = json!({"productId": id, "price": {"amount": 600, "currency": "SGD"}});
    let variants =
        json!([{"key": "a", "weight": 1, "prices": []}, {"key": "b", "weight": 9999, "prices": [price]}]);
    let draft = json!({"name": "Less", "metrics": {"primary": "conversion"}, "variants": variants});
    let experiment = souk.send(seller.call("POST", "/experiments").json(&draft));
    assert_eq!(experiment.status, 201, "{experiment:?}");
    for (status, amount) in [("running", 600), ("stopped", 650)] {
        let change = seller.call("PATCH", experiment.header("location")).header("if-match", "*");
        assert_eq!(souk.send(change.json(&json!({"status": status}))).status, 200);
        eventually("a hit has the visitor's price", || {
            let page = souk.send(Call::new("GET", path).header("souk-visitor", token));
            page.body["price"]["amount"] == amount && read_units(own, &page) == 0.0
        });
    }
}

#[test]
fn a_cache_that_is_slow_or_gone_is_not_missed() {
    let own = OwnInstance::start("e2e-no-cache", &[]);
    let souk = &own.souk;
    let seller = souk.user();
    let path = souk.product(&seller).header("location").to_owned();
    let works = |stock: u64| {
        assert_eq!(patch(souk, &seller, &path, stock).status, 200);
        let page: Value = souk.get(&path).body;
        assert_eq!(page["stock"], stock);
        assert_eq!(souk.product(&seller).status, 201);
    };
    works(10);
    own.signal_cache("STOP");
    works(11);
    own.signal_cache("KILL");
    works(12);
}
