//! The price watch: pages of the instance's shop are watched, looked at, and not watched any more.

use crate::souk::{Answer, Call, SOUK, User, at_once, eventually, unique};
use domain::watched_item::{Pace, SHARDS, Slot};
use serde_json::{Value, json};
use std::{io::ErrorKind, net::TcpListener};
use table::keys;

fn watch(user: &User, url: &str) -> Answer {
    SOUK.send(user.call("POST", "/watchlist").json(&json!({"url": url})))
}

fn sgd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "SGD"})
}

fn crawl_all() {
    let crawled = SOUK.invoke("price-crawl", &json!({"all": true}));
    assert!(crawled["checked"].is_number(), "{crawled}");
}

fn prices(user: &User, id: &str, query: &str) -> Answer {
    let answer = SOUK.send(user.call("GET", &format!("/items/{id}/prices{query}")));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[test]
fn a_page_is_watched_its_price_changes_and_the_history_shows_it() {
    let (ada, bob, sku) = (SOUK.user(), SOUK.user(), unique());
    let members = json!({"name": "Sencha", "price": "12.90", "currency": "SGD"});
    let url = SOUK.shop_item(&sku, &members)["url"].as_str().unwrap().to_owned();

    let first = watch(&ada, &format!("{url}?utm_source=mail#top"));
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.body["itemId"].as_str().unwrap();
    assert_eq!(first.header("location"), format!("/watchlist/{id}"));
    assert_eq!(first.body["url"], url.as_str());
    assert_eq!((&first.body["name"], &first.body["price"]), (&json!("Sencha"), &sgd(1290)));
    assert_eq!((&first.body["availability"], &first.body["alerts"]), (&json!("inStock"), &json!([])));
    assert_eq!(first.body["check"]["status"], "ok");
    // The same page: for one user the same watch, for another one the same item.
    let again = watch(&ada, &url);
    assert_eq!((again.status, &again.body["itemId"]), (200, &json!(id)));
    let other = watch(&bob, &url);
    assert_eq!((other.status, &other.body["itemId"]), (201, &json!(id)));
    // All requests but the first were conditional. A crawl of another test may have looked too.
    let shown = SOUK.call_shop("GET", &format!("items/{sku}"), &Value::Null);
    let [requests, not_modified] = ["requests", "notModified"].map(|count| shown[count].as_u64().unwrap());
    assert!(not_modified >= 2 && requests == not_modified + 1, "{shown}");

    SOUK.shop_item(&sku, &json!({"price": "9.90"}));
    at_once(2, |_| crawl_all());
    SOUK.shop_item(&sku, &json!({"price": null, "availability": "OutOfStock"}));
    crawl_all();

    let history = prices(&bob, id, "");
    let items = history.body["items"].as_array().unwrap();
    let stated: Vec<_> =
        items.iter().map(|item| (&item["price"], item["availability"].as_str().unwrap())).collect();
    assert_eq!(stated, [(&Value::Null, "outOfStock"), (&sgd(990), "inStock"), (&sgd(1290), "inStock")]);
    assert_eq!(items[0]["until"], Value::Null);
    assert_eq!((&items[1]["until"], &items[2]["until"]), (&items[0]["from"], &items[1]["from"]));
    let summary = &history.body["summary"];
    for (member, amount, at) in [
        ("lowest", 990, &items[1]),
        ("highest", 1290, &items[2]),
        ("lowest30Days", 990, &items[1]),
        ("lowest90Days", 990, &items[1]),
    ] {
        assert_eq!(summary[member], json!({"price": sgd(amount), "at": at["from"]}), "{member}");
    }
    let average = summary["average"]["price"]["amount"].as_i64().unwrap();
    assert!((990..=1290).contains(&average), "{average}");
    assert_eq!((&summary["omnibus"], &summary["lastChange"]), (&Value::Null, &items[0]["from"]));
    let pages = SOUK.walk_as(&ada, &format!("/items/{id}/prices?limit=1"), "availability");
    assert_eq!(pages, [["outOfStock"], ["inStock"], ["inStock"]]);

    let list = SOUK.send(ada.call("GET", "/watchlist"));
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1, "{list:?}");
    let listed = &list.body["items"][0];
    assert_eq!(
        (&listed["itemId"], &listed["price"], &listed["check"]["status"]),
        (&json!(id), &Value::Null, &json!("ok"))
    );
    assert!(listed["check"]["at"].as_str() >= items[0]["from"].as_str());

    for user in [&ada, &ada, &bob] {
        assert_eq!(SOUK.send(user.call("DELETE", &format!("/watchlist/{id}"))).status, 204);
        assert_eq!(SOUK.send(user.call("GET", "/watchlist")).body["items"], json!([]));
    }
    crawl_all();
    let asked = SOUK.call_shop("GET", &format!("items/{sku}"), &Value::Null)["requests"].clone();
    crawl_all();
    assert_eq!(SOUK.call_shop("GET", &format!("items/{sku}"), &Value::Null)["requests"], asked);
    assert_eq!(prices(&ada, id, "").body["items"].as_array().unwrap().len(), 3);
}

#[test]
fn the_schedule_has_the_shards_worked() {
    assert_eq!(SOUK.invoke("price-crawl", &json!({}))["queued"], 16);
    // The items of the fastest pace are due in every tick. Another run of this tick may have been faster.
    let slot = Slot { pace: Pace::QuarterHour, number: 0 };
    for shard in SHARDS.chars() {
        eventually("the items of a shard are looked at", || {
            !SOUK.item(&keys::crawl_run(Some(slot), shard)).is_null()
        });
    }
}

#[test]
fn pages_that_cannot_be_watched_are_refused_and_nothing_else_is_asked_for() {
    let (user, sku) = (SOUK.user(), unique());
    let canary = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = canary.local_addr().unwrap().port();
    for (url, reason) in [
        ("ftp://shop.com/x".to_owned(), "scheme"),
        ("javascript:alert(1)".to_owned(), "scheme"),
        ("https://shop.com:8080/x".to_owned(), "port"),
        ("https://ada@shop.com/x".to_owned(), "credentials"),
        (format!("http://127.0.0.1:{port}/x"), "host"),
        (format!("http://0x7f000001:{port}/x"), "host"),
        (format!("http://[::1]:{port}/x"), "host"),
        (format!("http://localhost:{port}/x"), "host"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "host"),
        ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next".to_owned(), "host"),
    ] {
        let refused = watch(&user, &url);
        refused.problem(400, "address-refused");
        assert_eq!(
            (refused.faults(), &refused.body["reason"]),
            (vec!["/url".to_owned()], &json!(reason)),
            "{url}"
        );
    }
    for body in [json!({}), json!({"url": 7}), json!({"url": "https://shop.com/", "speed": 1})] {
        SOUK.send(user.call("POST", "/watchlist").json(&body)).problem(400, "validation");
    }
    let url = SOUK.shop_item(&sku, &json!({"markup": "none"}))["url"].as_str().unwrap().to_owned();
    for (url, reason) in [
        (url.clone(), "no-product"),
        (format!("{url}-not-there"), "gone"),
        (url.replace("/item/", "/private/"), "robots"),
    ] {
        let refused = watch(&user, &url);
        refused.problem(422, "page-not-watchable");
        assert_eq!(refused.body["reason"], reason, "{url}");
    }
    assert_eq!(SOUK.send(user.call("GET", "/watchlist")).body["items"], json!([]));
    canary.set_nonblocking(true).unwrap();
    assert_eq!(canary.accept().unwrap_err().kind(), ErrorKind::WouldBlock);

    SOUK.send(user.call("GET", "/items/x/prices")).problem(404, "not-found");
    let unknown = "07070707-0707-8707-8707-070707070707";
    SOUK.send(user.call("GET", &format!("/items/{unknown}/prices"))).problem(404, "not-found");
    SOUK.send(user.call("DELETE", "/watchlist/x")).problem(404, "not-found");
    SOUK.send(user.call("GET", "/watchlist?cursor=x")).problem(400, "validation");
    assert_eq!(SOUK.send(Call::new("GET", "/watchlist")).status, 401);
}

#[test]
fn a_page_that_fails_for_the_moment_is_watched_and_read_later() {
    let (user, sku) = (SOUK.user(), unique());
    let url = SOUK.shop_item(&sku, &json!({"price": "5.00", "markup": "microdata"}))["url"]
        .as_str()
        .unwrap()
        .to_owned();
    SOUK.call_shop("POST", "faults", &json!({"id": sku, "path": sku, "status": 503}));
    let watched = watch(&user, &url);
    assert_eq!((watched.status, &watched.body["check"]["status"]), (201, &json!("failed")), "{watched:?}");
    assert_eq!(watched.body["check"]["reason"], "server-error");
    assert_eq!((&watched.body["name"], &watched.body["price"]), (&Value::Null, &Value::Null));
    crawl_all();
    let list = SOUK.send(user.call("GET", "/watchlist"));
    assert_eq!(list.body["items"][0]["check"], watched.body["check"], "a failure is since when it began");
    SOUK.call_shop("DELETE", &format!("faults/{sku}"), &Value::Null);
    crawl_all();
    let list = SOUK.send(user.call("GET", "/watchlist"));
    let listed = &list.body["items"][0];
    assert_eq!((&listed["price"], &listed["check"]["status"]), (&sgd(500), &json!("ok")), "{list:?}");
}
