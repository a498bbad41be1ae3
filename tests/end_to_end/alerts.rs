//! Alerts: a price falls, and the user is told by list, mail and webhook.

use crate::{
    account::{mails, token},
    souk::{Answer, Call, SOUK, User, at_once, unique},
};
use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(40);

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn sgd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "SGD"})
}

fn put(user: &User, path: &str, body: &Value) -> Answer {
    SOUK.send(user.call("PUT", path).json(body))
}

/// The calls that the shop has taken as the host of this webhook.
fn calls(name: &str) -> Vec<Value> {
    let calls = SOUK.call_shop("GET", &format!("webhooks/{name}"), &Value::Null);
    calls.as_array().unwrap().clone()
}

/// Whether the call is signed as the Standard Webhooks specification says.
fn is_signed(call: &Value, secret: &str) -> bool {
    let header = |name: &str| call["headers"][name].as_str().unwrap();
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let body = call["body"].as_str().unwrap();
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let tag = BASE64_STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes(), &tag).is_ok()
}

fn kinds(user: &User) -> Vec<String> {
    let list = SOUK.send(user.call("GET", "/notifications"));
    assert_eq!(list.status, 200, "{list:?}");
    let items = list.body["items"].as_array().unwrap();
    let mut kinds: Vec<String> = items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds
}

#[test]
fn a_fall_is_told_once_by_list_mail_and_signed_webhook() {
    let (ada, bob, carl, sku) = (SOUK.user(), SOUK.user(), SOUK.user(), unique());
    let verification = token(&mails(&SOUK, &ada.email, 1)[0], "verification");
    let verified = SOUK.send(Call::new("POST", "/users/verification").json(&json!({"token": verification})));
    assert!((200..300).contains(&verified.status), "{verified:?}");

    let members = json!({"name": "Sencha", "price": "12.90", "currency": "SGD"});
    let url = SOUK.shop_item(&sku, &members)["url"].as_str().unwrap().to_owned();
    let alerts =
        json!([{"kind": "target", "price": sgd(1000)}, {"kind": "drop", "percent": 20}, {"kind": "lowest"}]);
    let watched = SOUK.send(ada.call("POST", "/watchlist").json(&json!({"url": url, "alerts": alerts})));
    assert_eq!(watched.status, 201, "{watched:?}");
    assert_eq!(watched.body["alerts"][2], json!({"kind": "lowest", "days": 30}));
    let path = format!("/watchlist/{}", watched.body["itemId"].as_str().unwrap());
    let others =
        json!({"url": url, "alerts": [{"kind": "target", "price": sgd(500)}, {"kind": "backInStock"}]});
    assert_eq!(SOUK.send(bob.call("POST", "/watchlist").json(&others)).status, 201);
    let falls = json!({"url": url, "alerts": [{"kind": "drop", "percent": 20}, {"kind": "lowest"}]});
    assert_eq!(SOUK.send(carl.call("POST", "/watchlist").json(&falls)).status, 201);

    let wrong = json!({"alerts": [{"kind": "drop", "percent": 0}, {"kind": "target"}]});
    let refused = SOUK.send(ada.call("PATCH", &path).json(&wrong));
    refused.problem(400, "validation");
    assert_eq!(refused.faults(), ["/alerts/0/percent", "/alerts/1/price"]);
    let wanted = json!({"alerts": [{"kind": "target", "price": sgd(1000)}, {"kind": "any"}]});
    let patched = SOUK.send(ada.call("PATCH", &path).json(&wanted));
    assert_eq!((patched.status, &patched.body["alerts"]), (200, &wanted["alerts"]), "{patched:?}");
    let listed = SOUK.send(ada.call("GET", "/watchlist"));
    assert_eq!(listed.body["items"][0]["alerts"], wanted["alerts"]);
    SOUK.send(SOUK.user().call("PATCH", &path).json(&wanted)).problem(404, "not-found");

    let hook = json!({"url": format!("{}/webhooks/{sku}", SOUK.shop_url)});
    let webhook = put(&ada, "/webhook", &hook);
    let secret = webhook.body["secret"].as_str().unwrap();
    assert_eq!((webhook.status, &webhook.body["url"]), (200, &hook["url"]), "{webhook:?}");
    assert_eq!(SOUK.send(ada.call("GET", "/webhook")).body["secret"], Value::Null);
    // The first call fails and is repeated.
    SOUK.call_shop(
        "POST",
        "faults",
        &json!({"id": sku, "path": format!("/webhooks/{sku}"), "status": 500, "times": 1}),
    );

    SOUK.shop_item(&sku, &json!({"price": "9.90"}));
    at_once(2, |_| SOUK.invoke("price-crawl", &json!({"all": true})));
    until("two notifications", || Some(kinds(&ada)).filter(|kinds| *kinds == ["any", "target"]));
    until("a fall by 23 % to the lowest price", || {
        Some(kinds(&carl)).filter(|kinds| *kinds == ["drop", "lowest"])
    });
    let called = until("two calls", || Some(calls(&sku)).filter(|calls| calls.len() == 2));
    assert!(called.iter().all(|call| is_signed(call, secret)), "{called:?}");
    let body: Value = serde_json::from_str(called[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["data"]["itemId"], &body["data"]["price"]), (&watched.body["itemId"], &sgd(990)));

    let told = mails(&SOUK, &ada.email, 2)[1]["text"].as_str().unwrap().to_owned();
    assert_eq!(told.matches("9.90 SGD, before: 12.90 SGD").count(), 2, "{told}");

    // Nothing is told again.
    SOUK.invoke("price-crawl", &json!({"all": true}));
    assert_eq!((kinds(&ada).len(), kinds(&bob)), (2, vec![]));
    let pages = SOUK.walk_as(&ada, "/notifications?limit=1", "kind");
    assert_eq!(pages.iter().flatten().count(), 2);
    assert_eq!(SOUK.send(ada.call("DELETE", &path)).status, 204);
}

#[test]
fn settings_and_webhooks_are_checked_replaced_and_deleted() {
    let user = SOUK.user();
    let read = SOUK.send(user.call("GET", "/notifications/settings"));
    assert_eq!((read.status, &read.body["email"]), (200, &json!("immediately")));
    let settings = json!({
        "email": "daily", "dailyAt": "18:30", "quietHours": {"from": "22:00", "until": "07:00"}, "utcOffset": "+08:00",
    });
    assert_eq!(put(&user, "/notifications/settings", &settings).body, settings);
    assert_eq!(SOUK.send(user.call("GET", "/notifications/settings")).body, settings);
    let refused = put(&user, "/notifications/settings", &json!({"email": "x", "dailyAt": "25:00"}));
    assert_eq!((refused.status, refused.faults()), (400, vec!["/dailyAt".to_owned(), "/email".to_owned()]));

    SOUK.send(user.call("GET", "/webhook")).problem(404, "not-found");
    for url in [
        "http://ada.com/hook",
        "https://127.0.0.1/",
        "https://a@ada.com/",
        "https://ada.com:8443/",
        "ftp://ada.com/",
    ] {
        let refused = put(&user, "/webhook", &json!({"url": url}));
        assert_eq!((refused.status, refused.faults()), (400, vec!["/url".to_owned()]), "{url}");
    }
    let first = put(&user, "/webhook", &json!({"url": "https://ada.com/hook"}));
    let second = put(&user, "/webhook", &json!({"url": "https://ada.com/hook"}));
    assert_ne!(first.body["secret"], second.body["secret"]);
    for _ in 0..2 {
        assert_eq!(SOUK.send(user.call("DELETE", "/webhook")).status, 204);
    }
    SOUK.send(user.call("GET", "/webhook")).problem(404, "not-found");
    assert_eq!(SOUK.send(user.call("GET", "/notifications")).body["items"], json!([]));
}
