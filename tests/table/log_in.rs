//! Logging in: when a function reads its secrets, and when it renews the hash of a password.

use crate::application::context;
use domain::{
    Input,
    id::{Id, VisitorUuid},
    password::Password,
    security::{SecurityEvent, Subject},
    user::{Credentials, Email},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
use table::{Credential, keys};
use tests::{
    Fault, TABLE_NAME, World,
    samples::{account, now},
    units::describe,
};
use web::{
    Problem, Request, Response,
    password::{self, Peppers, Verdict},
    problem::Kind,
    token::{self, Authority, VerifyingKey},
    visitor_token::{SOUK_VISITOR, VisitorKeys},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/session-create/src/main.rs"]
pub mod function;

const ADDRESS: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

/// A hash of the password, made without a pepper.
const WITHOUT_PEPPER: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Dafup7uxQZaL0EmBlpexNA$X/33EIEFQ2X5JaHx4Penpblh2Z/xPMI434QdApYRXzQ";

const SETTINGS: &[(&str, &str)] = &[
    ("TOKEN_ISSUER", "souk"),
    ("TOKEN_AUDIENCE", "souk-api"),
    ("SIGNING_SECRET_ARN", "signing"),
    ("VISITOR_SECRET_ARN", "visitor"),
    ("PEPPER_SECRET_ARN", "pepper"),
    ("LIMIT_LOGIN_EMAIL", "10"),
    ("LIMIT_LOGIN_SOURCE", "10"),
    ("LIMIT_WINDOW_SECONDS", "900"),
    ("REQUIRE_VERIFIED_EMAIL", "false"),
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
        let answer = self.answer(password, None).await;
        let sent = self.world.wire.take_sent().iter().map(describe).collect();
        (answer.map(|response| response.status).map_err(|problem| problem.kind), sent)
    }

    /// The answer to one request, which shows this token of a visitor.
    async fn answer(&self, password: &str, visitor: Option<&str>) -> Result<Response, Problem> {
        let mut headers = HeaderMap::new();
        headers.extend(visitor.map(|token| (SOUK_VISITOR, token.parse().unwrap())));
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
        Box::pin(function::create_session(&self.app, request)).await
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
const READ_USER: &str = "GetItem USER#";
const PUBLISH: &str = "UpdateItem SIGNING";
const RENEW: &str = "UpdateItem EMAIL#";
const OPEN: &str = "PutItem SESSION#";
const READ_SESSIONS: &str = "Query SESSION#";

/// The credential is read after the limits, and the secrets do not wait for either.
#[tokio::test]
async fn a_new_instance_reads_its_secrets_while_it_reads_the_table() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    let (answer, sent) = log_in.attempt(PASSWORD).await;
    assert_eq!(answer, Ok(StatusCode::CREATED));
    assert_eq!(sent[..4], [COUNTED[0], COUNTED[1], READ_SECRET, READ_SECRET]);
    let mut after = sent[4..6].to_vec();
    after.sort_unstable();
    assert_eq!(after, [READ, PUBLISH]);
    assert_eq!(sent[6..], [READ_USER, OPEN, READ, READ_SESSIONS]);
}

#[tokio::test]
async fn a_warm_instance_reads_no_secret() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    log_in.attempt(PASSWORD).await.0.unwrap();
    let before = log_in.stored_hash().await;
    log_in.world.wire.take_sent();
    let (answer, sent) = log_in.attempt(PASSWORD).await;
    assert_eq!(answer, Ok(StatusCode::CREATED));
    assert_eq!(sent, [COUNTED[0], COUNTED[1], READ, READ_USER, OPEN, READ, READ_SESSIONS]);
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
async fn a_log_in_and_a_failed_one_are_noted_with_their_user() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    let user = account(1, ADDRESS).0.user_id;
    log_in.attempt("a wrong password").await.0.unwrap_err();
    assert_eq!(log_in.app.take_noted(), Some((SecurityEvent::LoginFailed, Subject::user(user))));
    log_in.attempt(PASSWORD).await.0.unwrap();
    let (event, subject) = log_in.app.take_noted().unwrap();
    assert_eq!((event, subject.user_id), (SecurityEvent::LoggedIn, Some(user)));
    assert!(subject.session_id.is_some());
    assert_eq!(log_in.app.take_noted(), None);
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

/// Replaces the stored hash as soon as the next request of this operation is carried out.
fn replace_hash_after(log_in: &LogIn, operation: &'static str, hash: String) {
    let (wire, key) = (log_in.world.wire.clone(), keys::credential(&log_in.email));
    let replace = move |_: &mut Value| {
        let update = json!({"TableName": TABLE_NAME, "Key": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            "UpdateExpression": "SET passwordHash = :hash", "ExpressionAttributeValues": {":hash": {"S": hash}}});
        assert_eq!(wire.carry_out("UpdateItem", update).status, 200);
    };
    log_in.world.wire.next(operation, [Fault::Altered(Arc::new(replace))]);
}

fn hash_of(password: &str) -> String {
    password::hash(&credentials(password).password, &Peppers::parse(&secret(0)).unwrap()).unwrap()
}

/// Somebody replaces the password while a log-in with the old one is under way, and then ends all sessions. Those that are
/// stored later are not among them.
#[tokio::test]
async fn a_log_in_with_a_password_that_is_replaced_meanwhile_leaves_no_session() {
    for operation in ["GetItem", "PutItem"] {
        let log_in = LogIn::with(&hash(0), secret(0)).await;
        replace_hash_after(&log_in, operation, hash_of("another good password"));
        let (answer, sent) = log_in.attempt(PASSWORD).await;
        assert_eq!(answer, Err(Kind::Unauthenticated), "{operation}");
        assert_eq!(sent.last().map(String::as_str), Some(OPEN), "the item of an ended session replaces it");
        let open = log_in.world.items().iter().filter(|item| item["secretHash"].is_object()).count();
        assert_eq!(open, 0);
    }
}

#[tokio::test]
async fn a_log_in_of_an_account_that_is_deleted_meanwhile_leaves_no_session() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    let (world, key) = (log_in.world.wire.clone(), keys::credential(&log_in.email));
    let delete = move |_: &mut Value| {
        let delete = json!({"TableName": TABLE_NAME, "Key": {"pk": {"S": key.pk}, "sk": {"S": key.sk}}});
        assert_eq!(world.carry_out("DeleteItem", delete).status, 200);
    };
    log_in.world.wire.next("GetItem", [Fault::Altered(Arc::new(delete))]);
    assert_eq!(log_in.attempt(PASSWORD).await.0, Err(Kind::Unauthenticated));
    assert!(log_in.world.items().iter().all(|item| item["secretHash"].is_null()));
}

/// Another log-in renews the hash of the same password.
#[tokio::test]
async fn a_log_in_whose_hash_is_renewed_meanwhile_succeeds() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    replace_hash_after(&log_in, "GetItem", hash_of(PASSWORD));
    assert_eq!(log_in.attempt(PASSWORD).await.0, Ok(StatusCode::CREATED));
}

/// The visitor in the answer to a log-in that shows this token, and in its access token.
async fn visitor_after(log_in: &LogIn, shown: Option<&str>) -> Option<VisitorUuid> {
    let answer = log_in.answer(PASSWORD, shown).await.unwrap();
    let body: Value = serde_json::from_str(answer.body.as_text()).unwrap();
    let visitor = body["visitor"]["visitorId"].as_str().map(|id| id.parse().unwrap());
    let keys = log_in.world.table.signing_keys(now()).await.unwrap();
    let key = VerifyingKey { public: keys[0].public, signs_until: keys[0].signs_until };
    let authority = Authority { issuer: "souk".to_owned(), audience: "souk-api".to_owned() };
    let access = token::verify(body["accessToken"].as_str().unwrap(), &key, &authority, now()).unwrap();
    assert_eq!(access.visitor, visitor);
    if let Some(token) = body["visitor"]["token"].as_str() {
        assert_eq!(VisitorKeys::from_secrets([secret(0).as_str()]).verify(token), visitor);
    }
    visitor
}

#[tokio::test]
async fn a_log_in_binds_the_first_visitor_that_we_made_up_and_no_other() {
    let log_in = LogIn::with(&hash(0), secret(0)).await;
    let visitor = |number: u8| VisitorUuid::new(now(), [number; 10]);
    let keys = VisitorKeys::from_secrets([secret(0).as_str()]);
    let signed = |number| keys.sign(visitor(number)).unwrap().token;
    assert_eq!(visitor_after(&log_in, None).await, None);
    let forged = VisitorKeys::from_secrets(["another secret"]).sign(visitor(1)).unwrap().token;
    assert_eq!(visitor_after(&log_in, Some(&forged)).await, None);
    assert_eq!(visitor_after(&log_in, Some(&visitor(1).to_string())).await, None);
    assert_eq!(visitor_after(&log_in, Some(&signed(1))).await, Some(visitor(1)));
    assert_eq!(visitor_after(&log_in, Some(&signed(2))).await, Some(visitor(1)));
    assert_eq!(visitor_after(&log_in, None).await, Some(visitor(1)));
    let user = log_in.world.table.user(account(1, ADDRESS).0.user_id).await.unwrap();
    assert_eq!((user.visitor_id, user.version), (Some(visitor(1)), 2));
}
