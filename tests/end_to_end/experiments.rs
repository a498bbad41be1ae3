//! Price experiments and visitors: a seller's whole experiment, and a visitor who becomes a customer.

use crate::souk::{Answer, Call, SOUK, User, unique};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

fn price(product: &str, amount: i64) -> Value {
    json!({"productId": product, "price": {"amount": amount, "currency": "SGD"}})
}

pub fn draft(product: &str) -> Value {
    json!({"name": "Kaya at 5.90", "metrics": {"primary": "revenuePerVisitor"}, "coverage": 5000, "variants": [
        {"key": "control", "weight": 5000}, {"key": "low", "weight": 5000, "prices": [price(product, 590)]}]})
}

fn id_of(answer: &Answer, member: &str) -> String {
    answer.body[member].as_str().unwrap().to_owned()
}

fn patch(seller: &User, path: &str, seen: &str, body: &Value) -> Answer {
    let call = seller.call("PATCH", path).header("if-match", seen);
    SOUK.send(call.text("application/merge-patch+json", &body.to_string()))
}

#[test]
fn a_seller_tests_a_price_and_rolls_out_the_winner() {
    let (seller, other) = (SOUK.user(), SOUK.user());
    let product = id_of(&SOUK.product(&seller), "productId");
    let foreign = id_of(&SOUK.product(&other), "productId");

    // Every fault is named, and nothing is drafted.
    let mut faulty = draft(&foreign);
    faulty["variants"][0]["weight"] = 4000.into();
    let refused = SOUK.send(seller.call("POST", "/experiments").json(&faulty));
    assert_eq!(refused.problem(400, "validation").faults(), ["/variants"]);
    let refused = SOUK.send(seller.call("POST", "/experiments").json(&draft(&foreign)));
    assert_eq!(refused.problem(400, "validation").faults(), ["/variants/1/prices/0/productId"]);

    // The same request twice drafts one experiment.
    let key = unique();
    let create = || {
        let call = seller.call("POST", "/experiments").header("idempotency-key", &key);
        SOUK.send(call.json(&draft(&product)))
    };
    let (created, again) = (create(), create());
    assert_eq!((created.status, created.header("etag")), (201, "\"1\""), "{created:?}");
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &created.body));
    let path = created.header("location").to_owned();
    let read = || SOUK.send(seller.call("GET", &path));
    assert_eq!(read().body, created.body);
    SOUK.send(other.call("GET", &path)).problem(404, "not-found");
    patch(&other, &path, "*", &json!({"name": "Mine"})).problem(404, "not-found");

    // While it runs, coverage rises and the price of the product stays.
    let started = patch(&seller, &path, "\"1\"", &json!({"status": "running"}));
    assert_eq!((started.status, &started.body["controlPrices"]), (200, &json!([price(&product, 650)])));
    patch(&seller, &path, "\"1\"", &json!({"status": "stopped"})).problem(412, "precondition-failed");
    let lower = patch(&seller, &path, "*", &json!({"coverage": 4000, "name": "x"}));
    assert_eq!(lower.problem(400, "validation").faults(), ["/coverage", "/name"]);
    let product_path = format!("/products/{product}");
    patch(&seller, &product_path, "*", &json!({"price": {"amount": 700}})).problem(409, "conflict");
    let renamed = patch(&seller, &product_path, "*", &json!({"name": "Kaya"}));
    assert_eq!((renamed.status, renamed.header("etag")), (200, "\"3\""));
    let overlapping = SOUK.send(seller.call("POST", "/experiments").json(&draft(&product)));
    let overlapping = patch(&seller, overlapping.header("location"), "*", &json!({"status": "running"}));
    let named = overlapping.problem(400, "validation").faults();
    assert_eq!(named, ["/variants/1/prices/0/productId"]);
    assert_eq!(patch(&seller, &path, "*", &json!({"coverage": 10000})).status, 200);

    // Nothing is published without a key, and clients of GrowthBook read it with one.
    SOUK.send(seller.call("GET", "/client-key")).problem(404, "not-found");
    let key = id_of(&SOUK.send(seller.call("PUT", "/client-key")), "clientKey");
    assert_eq!(id_of(&SOUK.send(seller.call("PUT", "/client-key")), "clientKey"), key);
    let features = || SOUK.get(&format!("/api/features/{key}"));
    let published = features();
    let feature = &published.body["features"][format!("price:{product}")];
    assert_eq!(feature["rules"][0]["variations"][1]["amount"], 590, "{published:?}");
    assert_eq!(published.header("cache-control"), "public, max-age=60");
    let known = Call::new("GET", &format!("/api/features/{key}"));
    assert_eq!(SOUK.send(known.header("if-none-match", published.header("etag"))).status, 304);

    // The end gives the product the winner's price; a repetition changes nothing more.
    let stop = json!({"status": "stopped", "winner": "low"});
    let (stopped, again) = (patch(&seller, &path, "*", &stop), patch(&seller, &path, "*", &stop));
    assert_eq!((stopped.status, &stopped.body), (200, &again.body));
    let rolled_out = SOUK.get(&product_path);
    assert_eq!(rolled_out.body["price"]["amount"], 590);
    assert_eq!(features().body["features"], json!({}));
    assert_eq!(SOUK.send(seller.call("DELETE", "/client-key")).status, 204);
    features().problem(404, "not-found");
    let listed = SOUK.send(seller.call("GET", "/experiments?limit=1"));
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    let newer = listed.body["items"][0]["experimentId"].as_str().unwrap().to_owned();
    assert_eq!(exported_experiments(&seller), [newer.as_str(), &path["/experiments/".len()..]]);
}

/// The ids of the experiments in the user's export, which has some pages.
fn exported_experiments(user: &User) -> Vec<String> {
    let (mut found, mut page) = (Vec::new(), "/users/me/export".to_owned());
    loop {
        let export = SOUK.send(user.call("GET", &page));
        assert_eq!(export.status, 200, "{export:?}");
        let ids = export.body["experiments"].as_array().unwrap().iter();
        found.extend(ids.map(|experiment| experiment["experimentId"].as_str().unwrap().to_owned()));
        let Some(cursor) = export.body["nextCursor"].as_str() else { return found };
        page = format!("/users/me/export?cursor={cursor}");
    }
}

/// The claims of an access token.
fn claims(answer: &Answer) -> Value {
    let token = id_of(answer, "accessToken");
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[test]
fn a_visitor_who_logs_in_stays_the_same_visitor_on_every_device() {
    let user = SOUK.user();
    let visitor = SOUK.send(Call::new("POST", "/visitors"));
    assert_eq!((visitor.status, visitor.header("cache-control")), (201, "no-store"), "{visitor:?}");
    let (id, token) = (id_of(&visitor, "visitorId"), id_of(&visitor, "token"));
    assert!(visitor.header("set-cookie").starts_with(&format!("__Host-souk_visitor={token}; ")));

    let credentials = json!({"email": user.email, "password": crate::souk::PASSWORD});
    let log_in = |name: &str, value: &str| {
        let session = SOUK.send(Call::new("POST", "/sessions").header(name, value).json(&credentials));
        assert_eq!(session.status, 201, "{session:?}");
        session
    };
    // An id that somebody made up binds nothing.
    let made_up = log_in("souk-visitor", &format!("{id}.{}", "A".repeat(43)));
    assert!(claims(&made_up)["visitorId"].is_null() && made_up.body["visitor"].is_null());
    // The first token that we made is bound, here from a cookie, and no other after it.
    let first = log_in("cookie", &format!("__Host-souk_visitor={token}"));
    assert_eq!(claims(&first)["visitorId"], id.as_str());
    let other = id_of(&SOUK.send(Call::new("POST", "/visitors")), "token");
    let second = log_in("souk-visitor", &other);
    assert_eq!((&claims(&second)["visitorId"], &second.body["visitor"]), (&json!(id), &visitor.body));
    let refreshed = json!({"refreshToken": id_of(&second, "refreshToken")});
    let refreshed = SOUK.send(Call::new("POST", "/sessions/refresh").json(&refreshed));
    assert_eq!((&claims(&refreshed)["visitorId"], &refreshed.body["visitor"]), (&json!(id), &visitor.body));
    let profile = SOUK.send(user.call("GET", "/users/me"));
    assert_eq!(profile.body["visitorId"], id.as_str());
}
