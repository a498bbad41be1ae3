//! Invalid requests: each is answered with a problem that names its faults, and writes nothing.

use crate::souk::{Call, SOUK, draft, eventually, unique};
use serde_json::{Value, json};

#[test]
fn every_fault_of_a_product_is_named() {
    let seller = SOUK.user();
    let bad = json!({
        "name": "", "description": 1, "category": " x", "price": {"amount": -1, "currency": "GOLD", "vat": 7},
        "stock": -1, "imageUrl": "http://a.example", "version": 1,
    });
    let answer = SOUK.send(seller.call("POST", "/products").header("idempotency-key", "a b").json(&bad));
    let expected = [
        "/category",
        "/description",
        "/imageUrl",
        "/name",
        "/price/amount",
        "/price/currency",
        "/price/vat",
        "/stock",
        "/version",
        "Idempotency-Key",
    ];
    assert_eq!(answer.problem(400, "validation").faults(), expected);
    assert_eq!(SOUK.get(&format!("/products?seller={}", seller.id)).body["items"], json!([]));
}

#[test]
fn money_stays_within_bounds() {
    let seller = SOUK.user();
    for amount in [
        json!(0),
        json!(-1),
        json!(100_000_000_000_u64),
        json!(u64::MAX),
        json!(1e30),
        json!(1.5),
        json!("1"),
    ] {
        let mut draft = draft();
        draft["price"]["amount"] = amount.clone();
        let answer = SOUK.send(seller.call("POST", "/products").json(&draft));
        assert_eq!(answer.problem(400, "validation").faults(), ["/price/amount"], "{amount}");
    }
}

#[test]
fn bodies_that_cannot_be_read() {
    let seller = SOUK.user();
    let post =
        |content_type: &str, body: &str| SOUK.send(seller.call("POST", "/products").text(content_type, body));
    for body in ["", "{", "{\"a\":1}}", "\u{feff}{}", &"[".repeat(10_000)] {
        post("application/json", body).problem(400, "malformed-request");
    }
    for (body, pointer) in [("[]", ""), ("7", ""), ("null", "")] {
        assert_eq!(post("application/json", body).problem(400, "validation").faults(), [pointer]);
    }
    for content_type in ["text/plain", "application/json; charset=latin1", "application/xml"] {
        post(content_type, &draft().to_string()).problem(415, "unsupported-media-type");
    }
    let large = json!({"name": "x".repeat(256 * 1024)}).to_string();
    post("application/json", &large).problem(413, "payload-too-large");
    assert_eq!(SOUK.get(&format!("/products?seller={}", seller.id)).body["items"], json!([]));
}

#[test]
fn the_largest_body_that_is_read() {
    let mut padded = draft().to_string();
    padded.push_str(&" ".repeat(256 * 1024 - padded.len()));
    let seller = SOUK.user();
    assert_eq!(SOUK.send(seller.call("POST", "/products").text("application/json", &padded)).status, 201);
    padded.push(' ');
    SOUK.send(seller.call("POST", "/products").text("application/json", &padded))
        .problem(413, "payload-too-large");
}

#[test]
fn a_repeated_member_is_named_and_nothing_is_written() {
    let seller = SOUK.user();
    let mut draft = draft().to_string();
    draft.insert_str(1, r#""stock": 5, "price": {"amount": 1, "amount": 2}, "#);
    let answer = SOUK.send(seller.call("POST", "/products").text("application/json", &draft));
    assert_eq!(answer.problem(400, "validation").faults(), ["/price", "/price/amount", "/stock"]);
    assert_eq!(SOUK.get(&format!("/products?seller={}", seller.id)).body["items"], json!([]));
}

/// A body without a valid member must not be answered with one fault for each of its bytes.
#[test]
fn a_large_body_full_of_faults_gets_a_small_answer() {
    let customer = SOUK.user();
    let zeros = format!(r#"{{"lines": [{}0]}}"#, "0,".repeat(130_999));
    let answer = SOUK.send(customer.call("POST", "/orders").text("application/json", &zeros));
    let faults = ["/expectedTotal", "/lines", "/paymentMethod", "Idempotency-Key"];
    assert_eq!(answer.problem(400, "validation").faults(), faults);
    assert!(answer.text.len() < 1000, "{} bytes", answer.text.len());

    let members: Vec<String> = (0..25_000).map(|number| format!(r#""{number}":0"#)).collect();
    let members = format!("{{{}}}", members.join(","));
    let answer = SOUK.send(Call::new("POST", "/sessions").text("application/json", &members));
    assert_eq!(answer.problem(400, "validation").faults().len(), 100);
    assert!(answer.text.len() < 10_000, "{} bytes", answer.text.len());
}

#[test]
fn a_malformed_id_is_not_found() {
    let seller = SOUK.user();
    for id in [
        "x",
        "7",
        "%20",
        "018bcfe5-6800-4000-8000-000000000000",
        "018BCFE5-6800-7000-8000-000000000000",
        "%00",
        "..%2f",
    ] {
        SOUK.get(&format!("/products/{id}")).problem(404, "not-found");
        let call = seller.call("DELETE", &format!("/products/{id}")).header("if-match", "*");
        SOUK.send(call).problem(404, "not-found");
    }
    SOUK.get("/products/018bcfe5-6800-7000-8000-000000000000").problem(404, "not-found");
}

#[test]
fn bad_queries_name_every_fault() {
    let cases = [
        ("category=a&seller=018bcfe5-6800-7000-8000-000000000000", vec!["category", "seller"]),
        ("category=", vec!["category"]),
        ("seller=x&limit=0&cursor=x&colour=red", vec!["colour", "cursor", "limit", "seller"]),
        ("category=a&category=b", vec!["category"]),
        ("category=a&limit=101", vec!["limit"]),
        ("category=a&limit=-1", vec!["limit"]),
    ];
    for (query, faults) in cases {
        let answer = SOUK.get(&format!("/products?{query}"));
        assert_eq!(answer.problem(400, "validation").faults(), faults, "{query}");
    }
}

#[test]
fn paths_and_methods_that_do_not_exist() {
    for path in ["/", "/nothing", "/products/", "/users", "/products/x/y"] {
        let method = if path == "/users" { "GET" } else { "POST" };
        let answer = SOUK.send(Call::new(method, path));
        assert!(matches!(answer.status, 404 | 405), "{method} {path}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let user = SOUK.user();
    for (method, path, allow) in [
        ("PUT", "/products", "GET, HEAD, POST"),
        ("POST", "/products/x", "DELETE, GET, HEAD, PATCH"),
        ("HEAD", "/sessions/current", "DELETE"),
        ("TRACE", "/health", "GET, HEAD"),
        ("PUT", "/users/me", "DELETE, GET, HEAD, PATCH"),
        // The gateway takes it for the id of a session.
        ("DELETE", "/sessions/refresh", "POST"),
    ] {
        let answer = SOUK.send(user.call(method, path));
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
}

/// The gateway refuses a request without a valid token before it invokes the route's function.
#[test]
fn every_route_that_is_not_public_needs_a_token() {
    let document = SOUK.get("/openapi.json").body;
    let id = "018bcfe5-6800-7000-8000-000000000000";
    let (mut public, mut guarded) = (0, 0);
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template
            .split('/')
            .map(|part| if part.starts_with('{') { id } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for (method, operation) in item.as_object().unwrap() {
            if !["get", "post", "patch", "put", "delete"].contains(&method.as_str()) {
                continue;
            }
            let call = Call::new(&method.to_uppercase(), &path);
            let bare = SOUK.send(call.clone());
            let forged = SOUK.send(call.header("authorization", &format!("Bearer {}", unique())));
            if operation["security"] == json!([]) {
                assert!(bare.status != 401 || bare.body["type"].is_string(), "{method} {template}: {bare:?}");
                public += 1;
            } else {
                assert_eq!(
                    (bare.status, &bare.body),
                    (401, &json!({"message": "Unauthorized"})),
                    "{method} {template}"
                );
                assert_eq!(
                    (forged.status, &forged.body),
                    (403, &json!({"message": "Forbidden"})),
                    "{method} {template}"
                );
                guarded += 1;
            }
        }
    }
    assert!(public >= 7 && guarded >= 5, "{public} {guarded}");
}

/// Each path of the contract with a method, and whether it is public. Parameters are ids of nothing.
fn paths_with(method: &str) -> Vec<(String, bool)> {
    let document = SOUK.get("/openapi.json").body;
    let id = "018bcfe5-6800-7000-8000-000000000000";
    let filled = |template: &str| {
        let parts = template.split('/').map(|part| if part.starts_with('{') { id } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let with_method = paths.filter(|(_, item)| item[method].is_object());
    with_method.map(|(template, item)| (filled(template), item[method]["security"] == json!([]))).collect()
}

#[test]
fn head_is_answered_as_get_is_without_a_body() {
    let user = SOUK.user();
    let product = SOUK.product(&user);
    let mut paths = paths_with("get");
    assert!(paths.len() >= 10, "{paths:?}");
    paths.push((product.header("location").to_owned(), true));
    paths.push((format!("/products?seller={}", user.id), true));
    for (path, public) in paths {
        // Other tests publish products between the two requests.
        eventually(&format!("HEAD {path} has the headers of GET"), || {
            let [get, head] = ["GET", "HEAD"].map(|method| SOUK.send(user.call(method, &path)));
            assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
            let names = ["content-type", "etag", "cache-control", "strict-transport-security", "allow"];
            names.iter().all(|name| head.header(name) == get.header(name))
        });
        let bare = SOUK.send(Call::new("HEAD", &path));
        assert_eq!(bare.status == 401, !public, "{path}: {bare:?}");
    }
}

#[test]
fn answers_tell_browsers_and_caches_what_they_may_do() {
    let user = SOUK.user();
    let product = SOUK.product(&user);
    let location = product.header("location").to_owned();
    let private = [
        ("a write", product),
        ("a profile", SOUK.send(user.call("GET", "/users/me"))),
        ("orders", SOUK.send(user.call("GET", "/orders"))),
        ("an anonymous write", SOUK.send(Call::new("POST", "/users").json(&json!({})))),
        ("tokens", SOUK.log_in(&user.email)),
        ("a problem", SOUK.get("/products/x")),
        ("no route", SOUK.get("/nothing")),
    ];
    for (what, answer) in &private {
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    }
    let public = [("a page", SOUK.get(&location)), ("the contract", SOUK.get("/openapi.json"))];
    for (what, answer) in &public {
        assert_ne!(answer.header("cache-control"), "no-store", "{what}");
    }
    for (what, answer) in private.iter().chain(&public) {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert!(answer.header("strict-transport-security").starts_with("max-age=63072000;"), "{what}");
    }
}

#[test]
fn text_comes_back_as_it_was_sent() {
    let seller = SOUK.user();
    let mut draft = draft();
    let text = "Ünï\u{2028}cødé 🥥 \"quoted\" \\ <b> \u{301}";
    draft["name"] = text.into();
    let created = SOUK.send(seller.call("POST", "/products").json(&draft));
    let read: Value = SOUK.get(created.header("location")).body;
    assert_eq!(read["name"], text);
}
