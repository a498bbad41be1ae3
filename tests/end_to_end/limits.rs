//! Rate limits, on an instance with low limits.

use crate::{
    orders::{VISA, order, place, product},
    own_instance::OwnInstance,
    souk::{Answer, Call, PASSWORD, draft, new_email, registration, unique},
};
use serde_json::json;
use std::thread;

fn assert_limited(answer: &Answer, policy: &str) {
    answer.problem(429, "too-many-requests");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(answer.header("ratelimit").contains(&format!("\"{policy}\";r=0;t=")), "{answer:?}");
    assert!(answer.header("ratelimit-policy").contains(&format!("\"{policy}\";q=")), "{answer:?}");
}

#[test]
fn log_in_and_registration_are_limited_by_address_and_by_source() {
    let limits = [
        "LimitLoginEmail=3",
        "LimitLoginSource=8",
        "LimitRegisterEmail=2",
        "LimitRegisterSource=5",
        "LimitWindowSeconds=3600",
    ];
    let own = OwnInstance::start("e2e-limits", &limits);
    let souk = &own.souk;
    let email = new_email();
    let register = |email: &str| souk.send(Call::new("POST", "/users").json(&registration(email)));
    assert_eq!(register(&email).status, 201);
    assert_eq!(register(&email.to_uppercase()).status, 201);
    assert_limited(&register(&email), "email");
    for _ in 0..2 {
        assert_eq!(register(&new_email()).status, 201);
    }
    assert_limited(&register(&new_email()), "source");

    let log_in = |email: &str, password: &str| {
        souk.send(Call::new("POST", "/sessions").json(&json!({"email": email, "password": password})))
    };
    for _ in 0..2 {
        log_in(&email, "a wrong password").problem(401, "unauthenticated");
    }
    assert_eq!(log_in(&email, PASSWORD).status, 201);
    // Over the limit, the right password is refused as a wrong one is.
    assert_limited(&log_in(&email, PASSWORD), "email");
    for _ in 0..4 {
        log_in(&new_email(), PASSWORD).problem(401, "unauthenticated");
    }
    assert_limited(&log_in(&new_email(), PASSWORD), "source");
}

#[test]
fn users_and_searches_are_limited_and_declined_cards_before_the_bank_is_asked() {
    let limits = [
        "LimitOrders=4",
        "LimitDeclined=2",
        "LimitCancellations=1",
        "LimitProducts=1",
        "LimitProductChanges=2",
        "LimitConcerts=1",
        "LimitReviews=1",
        "LimitExperiments=1",
        "LimitVisitorsSource=1",
        "LimitSearchSource=2",
        "LimitEventsSource=2",
        "LimitWindowSeconds=3600",
    ];
    let own = OwnInstance::start("e2e-limits-of-users", &limits);
    let (souk, seller, buyer, tester) = (&own.souk, own.souk.user(), own.souk.user(), own.souk.user());
    let jam = product(souk, &seller, 10, 650, "SGD");
    assert_limited(&souk.send(seller.call("POST", "/products").json(&draft())), "user");

    let path = jam.header("location");
    let renamed = seller.call("PATCH", path).header("if-match", "*").json(&json!({"name": "Jam"}));
    let counted = seller.call("PUT", &format!("{path}/stock")).json(&json!({"stock": 10}));
    assert_eq!([souk.send(renamed).status, souk.send(counted.clone()).status], [200, 200]);
    assert_limited(&souk.send(counted), "user");

    // Paid orders do not count as declined.
    let orders: Vec<Answer> =
        (0..4).map(|_| place(souk, &buyer, &unique(), &order(&[(&jam, 1)], VISA))).collect();
    assert!(orders.iter().all(|order| order.status == 201), "{orders:?}");
    assert_limited(&place(souk, &buyer, &unique(), &order(&[(&jam, 1)], VISA)), "orders");
    let cancel = |order: &Answer| {
        let id = order.body["orderId"].as_str().unwrap();
        souk.send(buyer.call("POST", &format!("/orders/{id}/cancellation")))
    };
    assert_eq!(cancel(&orders[0]).status, 200);
    assert_limited(&cancel(&orders[1]), "user");

    // Card testing: many cards at once.
    let before = souk.payments().len();
    let attempt = || place(souk, &tester, &unique(), &order(&[(&jam, 1)], "pm_card_visa_chargeDeclined"));
    let answers: Vec<Answer> = thread::scope(|scope| {
        let attempts: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
        attempts.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    let (refused, asked): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 429);
    assert_eq!((asked.len(), souk.payments().len() - before), (2, 2), "{answers:?}");
    for answer in asked {
        answer.problem(422, "order-rejected");
    }
    for answer in refused {
        assert_limited(answer, "declined");
    }

    let path = format!("{}/reviews", jam.header("location"));
    let review = json!({"rating": 4, "title": "Sweet", "body": "Like at home."});
    assert_eq!(souk.send(buyer.call("POST", &path).json(&review)).status, 201);
    let change = buyer.call("PATCH", &format!("{path}/{}", buyer.id)).header("if-match", "*");
    assert_limited(&souk.send(change.json(&json!({"rating": 3}))), "user");
    let create = |path: &str, name: &str| souk.send(seller.call("POST", path).json(&json!({"name": name})));
    assert_eq!(create("/bands", "First").status, 201);
    assert_limited(&create("/bands", "Second"), "user");

    let experiment = format!("/experiments/{}", jam.body["productId"].as_str().unwrap());
    let change = || souk.send(seller.call("PATCH", &experiment).header("if-match", "*").json(&json!({})));
    change().problem(404, "not-found");
    assert_limited(&change(), "user");
    let visit = || souk.send(Call::new("POST", "/visitors"));
    assert_eq!(visit().status, 201);
    assert_limited(&visit(), "source");

    for path in ["/products?category=tea", "/concerts?latitude=1&longitude=103&radius=5"] {
        assert_eq!(souk.get(path).status, 200);
        // Five requests come to the third of one minute, wherever the minute ends.
        let limited = (0..4).map(|_| souk.get(path)).find(|answer| answer.status == 429);
        assert_limited(&limited.expect("a search over the limit"), "source");
    }

    // Counted before the body is read.
    let upload = || souk.send(Call::new("POST", "/events").json(&json!({"batch": []})));
    let answers: Vec<Answer> = (0..5).map(|_| upload()).collect();
    assert!(answers.iter().any(|answer| answer.status == 400), "{answers:?}");
    assert_limited(
        answers.iter().find(|answer| answer.status == 429).expect("a request over the limit"),
        "source",
    );
}
