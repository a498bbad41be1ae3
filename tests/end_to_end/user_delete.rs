//! Public profiles, names in lists, the export, and the deletion of an account.

use crate::{
    account, experiments, orders,
    souk::{Answer, Call, PASSWORD, SOUK, User, draft, eventually, new_email, registration, unique},
};
use serde_json::{Value, json};

/// A user with a display name of their own, whose address is verified.
fn user(name: &str) -> User {
    let email = new_email();
    let mut body = registration(&email);
    body["displayName"] = json!(name);
    let registered = SOUK.send(Call::new("POST", "/users").json(&body));
    assert_eq!(registered.status, 201, "{registered:?}");
    let token = account::token(&account::mails(&SOUK, &email, 1)[0], "verification");
    let verified = SOUK.send(Call::new("POST", "/users/verification").json(&json!({"token": token})));
    assert_eq!(verified.status, 204, "{verified:?}");
    let session = SOUK.log_in(&email).body;
    let [token, refresh] =
        ["accessToken", "refreshToken"].map(|name| session[name].as_str().unwrap().to_owned());
    User { id: registered.body["userId"].as_str().unwrap().to_owned(), email, token, refresh }
}

fn delete(user: &User, password: &str) -> Answer {
    SOUK.send(user.call("DELETE", "/users/me").json(&json!({"password": password})))
}

/// The items of the table in which a text occurs. Counters of limits contain addresses, and expire by themselves.
fn items_with(text: &str) -> Vec<Value> {
    let (mut found, mut start) = (Vec::new(), Value::Null);
    loop {
        let mut scan = json!({"TableName": SOUK.output("TableName"), "ConsistentRead": true});
        if !start.is_null() {
            scan["ExclusiveStartKey"] = start;
        }
        let mut page = SOUK.aws("dynamodb", "DynamoDB_20120810.Scan", &scan);
        let items = page["Items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let is_limit = |item: &Value| item["pk"]["S"].as_str().unwrap().starts_with("LIMIT#");
        found.extend(items.into_iter().filter(|item| !is_limit(item) && item.to_string().contains(text)));
        start = page["LastEvaluatedKey"].take();
        if start.is_null() {
            return found;
        }
    }
}

/// The items of all pages of an export, by kind.
fn export(user: &User) -> Value {
    let (mut all, mut next) = (json!({}), Some("/users/me/export".to_owned()));
    while let Some(path) = next {
        let page = SOUK.send(user.call("GET", &path));
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.body["profile"]["email"], user.email);
        for kind in ["orders", "products", "reviews", "watches", "sessions"] {
            let items = page.body[kind].as_array().unwrap().iter().cloned();
            let so_far = all[kind].as_array().cloned().unwrap_or_default();
            all[kind] = so_far.into_iter().chain(items).collect();
        }
        let link =
            page.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        assert_eq!(link.is_some(), page.body["nextCursor"].is_string());
        next = link.map(str::to_owned);
    }
    all
}

/// Watches an item with an alert, has settings of notifications, and tests a price under a client key. Returns the id
/// of the experiment.
fn watches_tests_and_is_told(user: &User, product: &Answer) -> String {
    let sku = unique();
    let members = json!({"name": "Sencha", "price": "12.90", "currency": "SGD"});
    let url = SOUK.shop_item(&sku, &members)["url"].clone();
    let watch = json!({"url": url, "alerts": [{"kind": "any"}]});
    assert_eq!(SOUK.send(user.call("POST", "/watchlist").json(&watch)).status, 201);
    let settings = json!({"email": "never"});
    assert_eq!(SOUK.send(user.call("PUT", "/notifications/settings").json(&settings)).status, 200);
    assert_eq!(SOUK.send(user.call("PUT", "/client-key")).status, 200);
    let experiment = experiments::draft(product.body["productId"].as_str().unwrap());
    let created = SOUK.send(user.call("POST", "/experiments").json(&experiment));
    assert_eq!(created.status, 201, "{created:?}");
    created.body["experimentId"].as_str().unwrap().to_owned()
}

#[test]
fn an_account_is_seen_exported_and_deleted_with_everything_personal() {
    let name = unique();
    let (ada, other) = (user(&name), SOUK.user());
    let (own, theirs) = (SOUK.product(&ada), SOUK.product(&other));
    let [own_path, their_path] = [&own, &theirs].map(|product| product.header("location").to_owned());

    let profile = SOUK.get(&format!("/users/{}", ada.id));
    assert_eq!(profile.body, json!({"userId": ada.id, "displayName": name}));
    let known = Call::new("GET", &format!("/users/{}", ada.id));
    assert_eq!(SOUK.send(known.header("if-none-match", profile.header("etag"))).status, 304);
    SOUK.get("/users/018bcfe5-6800-7000-8000-000000000000").problem(404, "not-found");
    SOUK.get("/users/nobody").problem(404, "not-found");
    assert_eq!(SOUK.get(&own_path).body["sellerName"], name);
    assert_eq!(SOUK.get(&format!("/products?seller={}", ada.id)).body["items"][0]["sellerName"], name);

    let order = orders::order(&[(&theirs, 1)], orders::VISA);
    let order = orders::place(&SOUK, &ada, &unique(), &order);
    assert_eq!(order.body["status"], "confirmed", "{order:?}");
    let review = json!({"rating": 4, "title": "Sweet", "body": ""});
    let call = |user: &User, path: &str| user.call("POST", &format!("{path}/reviews")).json(&review);
    assert_eq!(SOUK.send(call(&ada, &their_path)).body["authorName"], name);
    assert_eq!(SOUK.send(call(&other, &own_path)).status, 201);
    let shown = || SOUK.get(&format!("{their_path}/reviews")).body["items"][0].clone();
    assert_eq!(shown()["authorName"], name);
    eventually("the page shows the review", || {
        SOUK.get(&their_path).body["reviews"]["items"][0]["authorName"] == name
    });

    let tested = watches_tests_and_is_told(&ada, &own);
    let exported = export(&ada);
    let ids =
        [("orders", "orderId"), ("products", "productId"), ("reviews", "productId")].map(|(kind, id)| {
            exported[kind].as_array().unwrap().iter().map(|item| &item[id]).collect::<Vec<_>>()
        });
    assert_eq!(
        ids,
        [vec![&order.body["orderId"]], vec![&own.body["productId"]], vec![&theirs.body["productId"]]]
    );
    assert_eq!(exported["sessions"][0]["current"], true);
    let foreign = ada.call("GET", "/users/me/export?cursor=x");
    assert_eq!(SOUK.send(foreign).problem(400, "validation").faults(), ["cursor"]);

    assert_eq!(
        SOUK.send(ada.call("DELETE", "/users/me").json(&json!({"password": 1})))
            .problem(400, "validation")
            .faults(),
        ["/password"]
    );
    delete(&ada, "not the password").problem(403, "forbidden");
    assert_eq!(SOUK.get(&format!("/users/{}", ada.id)).status, 200);
    assert_eq!(delete(&ada, PASSWORD).status, 204);
    // Its session has ended.
    assert_eq!(delete(&ada, PASSWORD).status, 403);
    assert_eq!(SOUK.send(ada.call("GET", "/users/me")).status, 403);
    let refresh = Call::new("POST", "/sessions/refresh").json(&json!({"refreshToken": ada.refresh}));
    SOUK.send(refresh).problem(401, "unauthenticated");
    SOUK.log_in(&ada.email).problem(401, "unauthenticated");
    SOUK.get(&format!("/users/{}", ada.id)).problem(404, "not-found");

    eventually("the product is withdrawn", || SOUK.get(&own_path).status == 404);
    eventually("the review has no name", || shown()["authorName"].is_null());
    assert_eq!((&shown()["rating"], &shown()["verifiedPurchase"]), (&json!(4), &json!(true)));
    eventually("nothing personal is left", || {
        items_with(&name).is_empty() && items_with(&ada.email).is_empty()
    });
    let partitions =
        [("NOTICES", &ada.id), ("FEATURES", &ada.id), ("WATCHES", &ada.id), ("EXPERIMENT", &tested)];
    for (kind, id) in partitions {
        assert_eq!(SOUK.items_in(&format!("{kind}#{id}")), 0, "{kind}");
    }
    let order_key =
        table::keys::order(ada.id.parse().unwrap(), order.body["orderId"].as_str().unwrap().parse().unwrap());
    assert_eq!(SOUK.item(&order_key)["total"]["M"]["amount"]["N"], "650", "the order is kept");
    let again = SOUK.send(Call::new("POST", "/users").json(&registration(&ada.email)));
    assert_eq!((again.status, SOUK.log_in(&ada.email).status), (201, 201), "the address is free: {again:?}");
    assert_ne!(again.body["userId"], json!(ada.id));
    assert_eq!(draft()["name"], SOUK.get(&their_path).body["name"], "the products of others are left alone");
}
