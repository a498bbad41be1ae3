//! The life of an account, with its mails.

use crate::{
    own_instance::OwnInstance,
    souk::{Call, PASSWORD, Souk, new_email, registration},
};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

const NEW: &str = "staple correct horse";
const NEWEST: &str = "horse staple correct";

/// How long a mail may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The mails to an address, once there are so many.
pub fn mails(souk: &Souk, address: &str, count: usize) -> Vec<Value> {
    let url = format!("{}/_souk/mails/{address}", souk.endpoint_url);
    let until = Instant::now() + PATIENCE;
    loop {
        let text = souk.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let mails: Vec<Value> = serde_json::from_str(&text).unwrap();
        if mails.len() >= count {
            assert_eq!(mails.len(), count, "{mails:?}");
            return mails;
        }
        assert!(Instant::now() < until, "{mails:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The token in the link of a mail.
pub fn token(mail: &Value, kind: &str) -> String {
    let text = mail["text"].as_str().unwrap();
    let (_, rest) = text.split_once(&format!("/#{kind}=")).unwrap();
    rest.lines().next().unwrap().to_owned()
}

fn post(souk: &Souk, path: &str, body: &Value) -> u16 {
    souk.send(Call::new("POST", path).json(body)).status
}

/// The access token of a new session, or the status of the refusal.
fn log_in(souk: &Souk, email: &str, password: &str) -> Result<(String, String), u16> {
    let answer =
        souk.send(Call::new("POST", "/sessions").json(&json!({"email": email, "password": password})));
    let text = |member: &str| answer.body[member].as_str().unwrap().to_owned();
    if answer.status == 201 { Ok((text("accessToken"), text("refreshToken"))) } else { Err(answer.status) }
}

#[test]
fn the_life_of_an_account_with_its_mails() {
    let own = OwnInstance::start("e2e-account", &["RequireVerifiedEmail=true"]);
    let souk = &own.souk;
    let refresh = |token: &str| post(souk, "/sessions/refresh", &json!({"refreshToken": token}));

    // Registered, and not known to the outside until the address is verified.
    let email = new_email();
    let registered = souk.send(Call::new("POST", "/users").json(&registration(&email)));
    assert_eq!(registered.status, 201);
    assert_eq!(log_in(souk, &email, PASSWORD), Err(401));
    let verification = token(&mails(souk, &email, 1)[0], "verification");
    assert_eq!(post(souk, "/users/verification", &json!({"token": verification})), 204);
    assert_eq!(post(souk, "/users/verification", &json!({"token": verification})), 401);
    let (access, first) = log_in(souk, &email, PASSWORD).unwrap();

    // The owner learns of a second registration, and nobody else.
    assert_eq!(souk.send(Call::new("POST", "/users").json(&registration(&email))).status, 201);
    assert_eq!(mails(souk, &email, 2)[1]["subject"], "You have an account already");

    // A name is changed at the version that was seen.
    let as_user = |method: &str, path: &str, access: &str| {
        Call::new(method, path).header("authorization", &format!("Bearer {access}"))
    };
    let profile = souk.send(as_user("GET", "/users/me", &access));
    assert!(profile.body["verifiedAt"].is_string(), "{profile:?}");
    let rename = || as_user("PATCH", "/users/me", &access).json(&json!({"displayName": "Ada L."}));
    souk.send(rename()).problem(428, "precondition-required");
    let renamed = souk.send(rename().header("if-match", profile.header("etag")));
    assert_eq!((renamed.status, renamed.body["displayName"].as_str()), (200, Some("Ada L.")));
    souk.send(rename().header("if-match", profile.header("etag"))).problem(412, "precondition-failed");

    // A forgotten password: the old sessions are refused.
    assert_eq!(post(souk, "/password-resets", &json!({"email": new_email()})), 202);
    assert_eq!(post(souk, "/password-resets", &json!({"email": email})), 202);
    let reset = token(&mails(souk, &email, 3)[2], "password-reset");
    assert_eq!(post(souk, "/users/password", &json!({"token": reset, "password": NEW})), 204);
    assert_eq!(post(souk, "/users/password", &json!({"token": reset, "password": NEWEST})), 401);
    assert_eq!((refresh(&first), log_in(souk, &email, PASSWORD)), (401, Err(401)));
    assert_eq!(mails(souk, &email, 4)[3]["subject"], "Your password was changed");

    // A changed password: the other session is refused, and the own one goes on.
    let (_, other) = log_in(souk, &email, NEW).unwrap();
    let (access, own_refresh) = log_in(souk, &email, NEW).unwrap();
    let change = |current: &str| {
        let body = json!({"currentPassword": current, "newPassword": NEWEST});
        souk.send(as_user("PUT", "/users/me/password", &access).json(&body))
    };
    change(PASSWORD).problem(403, "forbidden");
    assert_eq!(change(NEW).status, 204);
    assert_eq!((refresh(&other), refresh(&own_refresh)), (401, 201));
    assert!(log_in(souk, &email, NEWEST).is_ok());
    assert_eq!(mails(souk, &email, 5)[4]["subject"], "Your password was changed");

    // Neither an address nor a token is in a log.
    let logs = own.logs();
    for secret in [&email, &verification, &reset] {
        assert!(!logs.contains(secret.as_str()), "{secret}");
    }
    assert!(logs.contains("POST /users/verification"));
}
