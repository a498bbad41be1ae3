//! Rate limits, on an instance with low limits.

use crate::souk::{Answer, Call, OwnInstance, PASSWORD, new_email, registration};
use serde_json::json;

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
    register(&email.to_uppercase()).problem(409, "conflict");
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
