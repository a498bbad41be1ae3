//! Logging in: when a function reads its secrets, and when it renews the hash of a password.

use crate::application::context;
use domain::user::{Credentials, Email};
use domain::{Input, password::Password};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use std::collections::HashMap;
use table::Credential;
use tests::{
    World,
    samples::{account, now},
    units::describe,
};
use web::{
    Request,
    password::{self, Peppers, Verdict},
    problem::Kind,
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/session-create/src/main.rs"]
mod function;

const ADDRESS: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

/// A hash of the password, made without a pepper.
const WITHOUT_PEPPER: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Dafup7uxQZaL0EmBlpexNA$X/33EIEFQ2X5JaHx4Penpblh2Z/xPMI434QdApYRXzQ";

const SETTINGS: &[(&str, &str)] = &[
    ("TOKEN_ISSUER", "souk"),
    ("TOKEN_AUDIENCE", "souk-api"),
    ("SIGNING_SECRET_ARN", "signing"),
    ("PEPPER_SECRET_ARN", "pepper"),
    ("LIMIT_LOGIN_EMAIL", "10"),
    ("LIMIT_LOGIN_SOURCE", "10"),
    ("LIMIT_WINDOW_SECONDS", "900"),
];

/// The text of the secret after so many rotations of the pepper. It is long enough to be a signing secret too.
fn secret(rotations: u32) -> String {
    let pepper = |number| (format!("{number}"), Value::from(format!("{number:050}")));
    let mut text: serde_json::Map<String, Value> = (0..=rotations).map(pepper).collect();
    text.insert("current".to_owned(), rotations.to_string().into());
    Value::from(text).to_string()
}

fn credentials(password: &str) -> Credentials {
    Credentials::from_json(json!({"email": ADDRESS, "password": password})).unwrap()
}

fn right_password() -> Password {
    credentials(PASSWORD).password
}

fn hash(rotations: u32) -> String {
    password::hash(&right_password(), &Peppers::parse(&secret(rotations)).unwrap()).unwrap()
}

/// A world with an account, and an instance of session-create.
struct LogIn {
    world: World,
    app: function::App,
    email: Email,
}

impl LogIn {
    /// The account's password has this hash, and the secrets have this text.
    async fn with(password_hash: &str, secret: String) -> Self {
        let world = World::new();
        let (user, email, credential) = account(1, ADDRESS);
        let credential = Credential { password_hash: password_hash.to_owned(), ..credential };
        world.table.register(&user, &email, &credential).await.unwrap();
        let log_in = Self { app: function::App::new(context(&world, SETTINGS)).unwrap(), world, email };
        log_in.keep_secret(&secret);
        log_in
    }

    fn keep_secret(&self, text: &str) {
        self.world.wire.keep_secret(text);
        self.world.wire.take_sent();
    }

    /// The result of one request, and the requests that the function sent for it.
    async fn attempt(&self, password: &str) -> (Result<StatusCode, Kind>, Vec<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = Request {
            method: Method::POST,
            path: "/sessions".to_owned(),
            path_parameters: HashMap::new(),
            query: String::new(),
            headers,
            body: json!({"email": ADDRESS, "password": password}).to_string().into_bytes(),
            source: "192.0.2.1".to_owned(),
            id: "r".to_owned(),
            received_at: now(),
            verified: None,
        };
        let answer = Box::pin(function::create_session(&self.app, request)).await;
        let sent = self.world.wire.take_sent().iter().map(describe).collect();
        (answer.map(|response| response.status).map_err(|problem| problem.kind), sent)
    }

    async fn stored_hash(&self) -> String {
        self.world.table.credential(&self.email).await.unwrap().unwrap().password_hash
    }

    async fn verdict(&self, rotations: u32) -> Verdict {
        let peppers = Peppers::parse(&secret(rotations)).unwrap();
        password::verify(&right_password(), Some(&self.stored_hash().await), &peppers).unwrap()
    }
}

const COUNTED: [&str; 2] = ["UpdateItem LIMIT#", "UpdateItem LIMIT#"];
const READ_SECRET: &str = "GetSecretValue";
const READ: &str = "GetItem EMAIL#";
const PUBLISH: &str = "UpdateItem SIGNING";
const RENEW: &str = "UpdateItem EMAIL#";
const OPEN: &str = "PutItem SESSION#";

/// The credential is read after the limits, and the secrets do not wait for either.
#[tokio::test]
async fn a_new_instance_reads_its_secrets_while_it_reads_the_table() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    let (answer, sent) = log_in.attempt(PASSWORD).await;
    assert_eq!(answer, Ok(StatusCode::CREATED));
    assert_eq!(sent[..4], [COUNTED[0], COUNTED[1], READ_SECRET, READ_SECRET]);
    let mut after = sent[4..].to_vec();
    after.sort_unstable();
    assert_eq!(after, [READ, OPEN, PUBLISH]);
    assert_eq!(sent.last().map(String::as_str), Some(OPEN));
}

#[tokio::test]
async fn a_warm_instance_reads_no_secret() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    log_in.attempt(PASSWORD).await.0.unwrap();
    let before = log_in.stored_hash().await;
    log_in.world.wire.take_sent();
    let (answer, sent) = log_in.attempt(PASSWORD).await;
    assert_eq!(answer, Ok(StatusCode::CREATED));
    assert_eq!(sent, [COUNTED[0], COUNTED[1], READ, OPEN]);
    assert_eq!(log_in.stored_hash().await, before);
}

#[tokio::test]
async fn a_hash_without_a_pepper_or_with_an_older_one_is_renewed_once() {
    for (stored, rotations) in [(WITHOUT_PEPPER.to_owned(), 0), (hash(0), 1)] {
        let log_in = LogIn::with(&stored, secret(rotations)).await;
        let (answer, sent) = log_in.attempt(PASSWORD).await;
        assert_eq!(answer, Ok(StatusCode::CREATED));
        assert!(sent.contains(&RENEW.to_owned()), "{sent:?}");
        assert_ne!(log_in.stored_hash().await, stored);
        assert_eq!(log_in.verdict(rotations).await, Verdict::Right);
        let (answer, sent) = log_in.attempt(PASSWORD).await;
        assert!(answer.is_ok() && !sent.contains(&RENEW.to_owned()), "{sent:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_renews_nothing() {
    let log_in = LogIn::with(WITHOUT_PEPPER, secret(0)).await;
    let (answer, sent) = log_in.attempt("a wrong password").await;
    assert_eq!(answer, Err(Kind::Unauthenticated));
    assert!(!sent.contains(&RENEW.to_owned()), "{sent:?}");
    assert_eq!(log_in.stored_hash().await, WITHOUT_PEPPER);
}

/// Another instance read the rotated secret first, and renewed the hash.
#[tokio::test]
async fn a_hash_with_an_unknown_pepper_makes_a_warm_instance_read_the_secret_again() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    log_in.attempt(PASSWORD).await.0.unwrap();
    let old = log_in.stored_hash().await;
    log_in.world.table.renew_password_hash(&log_in.email, &old, &hash(1)).await.unwrap();
    log_in.keep_secret(&secret(1));
    let (answer, sent) = log_in.attempt(PASSWORD).await;
    assert_eq!(answer, Ok(StatusCode::CREATED));
    assert_eq!(sent.iter().filter(|request| *request == READ_SECRET).count(), 1, "{sent:?}");
    assert_eq!(log_in.attempt(PASSWORD).await.0, Ok(StatusCode::CREATED));
}

#[tokio::test]
async fn a_pepper_that_was_removed_is_our_fault_and_not_a_wrong_password() {
    let log_in = LogIn::with(&hash(1), secret(0)).await;
    assert_eq!(log_in.attempt(PASSWORD).await.0, Err(Kind::Internal));
}
