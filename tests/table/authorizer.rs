//! The authorizer: which tokens it lets through, and what it reads for them.

use crate::{
    application::{Lines, context, context_at},
    is_unavailable,
};
use app::{Client, tokens::TokenIssuer};
use domain::{
    Timestamp,
    security::{SecurityEvent, Subject},
    session::Session,
    user::Caller,
};
use serde_json::{Value, json};
use tests::{
    Fault, World,
    samples::{later, now, session},
    units::describe,
};
use web::token::{Authority, Signer};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/authorizer/src/main.rs"]
mod function;

const SETTINGS: &[(&str, &str)] =
    &[("TOKEN_ISSUER", "souk"), ("TOKEN_AUDIENCE", "souk-api"), ("SIGNING_SECRET_ARN", "signing")];

const SECRET: &str = "the text of the signing secret, which is long enough";

/// A world with a session and its access token, and an instance of the authorizer.
struct Gate {
    world: World,
    app: function::App,
    session: Session,
    token: String,
}

impl Gate {
    async fn new() -> Self {
        let world = World::new();
        world.wire.keep_secret(SECRET);
        let (session, _) = session(1, 1);
        world.table.create_session(&session).await.unwrap();
        let caller = Caller { user_id: session.user_id, session_id: session.session_id };
        let issuer = TokenIssuer::new(&context(&world, SETTINGS)).unwrap();
        let token = issuer.issue(&caller, None, now()).await.unwrap();
        let gate =
            Self { app: function::App::new(context(&world, SETTINGS)).unwrap(), world, session, token };
        gate.world.wire.take_sent();
        gate
    }

    /// The answer to a token, and the requests that were sent for it.
    async fn ask(&self, token: &str) -> (Value, Vec<String>) {
        let event = serde_json::from_value(json!({"identitySource": [format!("Bearer {token}")]})).unwrap();
        let answer = function::authorize(&self.app, event).await.unwrap();
        let sent = self.world.wire.take_sent().iter().map(describe).collect();
        (serde_json::to_value(answer).unwrap(), sent)
    }

    async fn accepts(&self, token: &str) -> bool {
        self.ask(token).await.0["isAuthorized"] == json!(true)
    }
}

const READ_KEYS: &str = "Query SIGNING";
const READ_SESSION: &str = "GetItem SESSION#";

#[tokio::test]
async fn a_new_instance_reads_the_session_while_it_reads_the_keys() {
    let gate = Gate::new().await;
    let (answer, sent) = gate.ask(&gate.token).await;
    let expires_at = now().unix_seconds() + 900;
    let Session { user_id, session_id, .. } = gate.session;
    let context = json!({"userId": user_id, "sessionId": session_id, "expiresAt": expires_at});
    assert_eq!(answer, json!({"isAuthorized": true, "context": context}));
    assert_eq!(sent, [READ_KEYS, READ_SESSION]);
    assert_eq!(gate.ask(&gate.token).await.1, [READ_SESSION]);

    // Neither read waits for the other: both are sent before either is answered.
    let cold = Gate::new().await;
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    for operation in ["Query", "GetItem"] {
        cold.world.wire.next(operation, [Fault::Held(std::sync::Arc::clone(&barrier))]);
    }
    assert!(cold.accepts(&cold.token).await);
}

#[tokio::test]
async fn the_token_of_an_ended_session_is_refused_at_once() {
    let gate = Gate::new().await;
    assert!(gate.accepts(&gate.token).await);
    gate.world.table.end_session(gate.session.user_id, gate.session.session_id, now()).await.unwrap();
    assert_eq!(gate.ask(&gate.token).await.0, json!({"isAuthorized": false}));
}

#[tokio::test]
async fn the_token_of_a_session_that_expires_first_is_refused() {
    let gate = Gate::new().await;
    let at = |end: Timestamp| {
        function::App::new(context_at(&gate.world, SETTINGS, end, &Lines::default())).unwrap()
    };
    // The sample session ends after 1000 s, and its token is issued 200 s before that.
    let Session { user_id, session_id, .. } = gate.session;
    let late = TokenIssuer::new(&context(&gate.world, SETTINGS)).unwrap();
    let token = late.issue(&Caller { user_id, session_id }, None, later(800)).await.unwrap();
    for (seconds, accepted) in [(999, true), (1000, false)] {
        let event = serde_json::from_value(json!({"identitySource": [format!("Bearer {token}")]})).unwrap();
        let answer = function::authorize(&at(later(seconds)), event).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap()["isAuthorized"], accepted, "{seconds}");
    }
}

/// Forged tokens must not cost reads.
#[tokio::test]
async fn a_warm_instance_reads_nothing_for_a_token_that_its_keys_refuse() {
    let gate = Gate::new().await;
    assert!(gate.accepts(&gate.token).await);
    gate.world.wire.take_sent();
    let mut forged = gate.token.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    for token in ["", "x", "a.b.c", &forged] {
        assert_eq!(gate.ask(token).await, (json!({"isAuthorized": false}), Vec::new()), "{token}");
    }
}

#[tokio::test]
async fn a_token_that_claims_to_be_valid_and_is_not_is_noted_as_forged_and_names_nobody() {
    let gate = Gate::new().await;
    let (claims, _) = gate.token.rsplit_once('.').unwrap();
    let forged = format!("{claims}.{}", "A".repeat(86));
    for (token, noted) in [
        (forged.as_str(), Some((SecurityEvent::TokenForged, Subject::NOBODY))),
        (&gate.token, None),
        ("no.token.at-all", None),
    ] {
        gate.accepts(token).await;
        assert_eq!(gate.app.take_noted(), noted, "{token}");
    }
    // An expired token is not counted as forged, whoever has signed it.
    let app = function::App::new(context_at(&gate.world, SETTINGS, later(901), &Lines::default())).unwrap();
    let later = Gate { app, ..gate };
    for token in [&later.token, &forged] {
        assert!(!later.accepts(token).await);
        assert_eq!(later.app.take_noted(), None, "{token}");
    }
}

/// A token that is signed by the right key for a session that was never stored.
#[tokio::test]
async fn a_session_that_is_not_stored_is_refused() {
    let gate = Gate::new().await;
    let authority = Authority { issuer: "souk".into(), audience: "souk-api".into() };
    let caller = Caller { user_id: gate.session.user_id, session_id: session(2, 1).0.session_id };
    let token = Signer::from_secret(SECRET).unwrap().sign(&authority, &caller, None, [9; 16], now()).unwrap();
    assert!(!gate.accepts(&token).await);
}

/// The gateway answers a failed authorizer with 500, and the client may try again; 403 would make it log in again.
#[tokio::test]
async fn a_failed_read_of_the_session_is_no_refusal() {
    let gate = Gate::new().await;
    gate.world.wire.always("GetItem", Fault::Throttled);
    let event =
        serde_json::from_value(json!({"identitySource": [format!("Bearer {}", gate.token)]})).unwrap();
    assert!(is_unavailable(&function::authorize(&gate.app, event).await));
    gate.world.wire.heal();
    assert!(gate.accepts(&gate.token).await);
}
