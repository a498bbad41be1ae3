//! Access tokens: how soon a key that was replaced or revoked signs nothing any more.

use crate::{application::context, is_unavailable};
use app::{
    Client,
    tokens::{TokenIssuer, TokenVerifier},
};
use domain::{Timestamp, user::Caller};
use table::keys;
use tests::{
    World,
    samples::{caller, later, now},
    units::describe,
};
use web::token::{Authority, Signer};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/signing-key-revoke/src/main.rs"]
mod function;

const SETTINGS: &[(&str, &str)] =
    &[("TOKEN_ISSUER", "souk"), ("TOKEN_AUDIENCE", "souk-api"), ("SIGNING_SECRET_ARN", "signing")];

const FIRST: &str = "the first text of the signing secret, long enough";
const SECOND: &str = "the second text of the signing secret, long enough";

/// The interval at which issuers read the secret, and verifiers the keys.
const MINUTE: u64 = 60;

struct Api {
    world: World,
    issuer: TokenIssuer,
    verifier: TokenVerifier,
}

impl Api {
    fn new() -> Self {
        let world = World::new();
        world.wire.keep_secret(FIRST);
        let issuer = TokenIssuer::new(&context(&world, SETTINGS)).unwrap();
        let verifier = TokenVerifier::new(&context(&world, SETTINGS)).unwrap();
        Self { world, issuer, verifier }
    }

    async fn issue(&self, at: Timestamp) -> String {
        self.issuer.issue(&caller(1), None, at).await.unwrap()
    }

    async fn accepts(&self, token: &str, at: Timestamp) -> bool {
        self.verifier.verify(token, at).await.unwrap().is_some()
    }

    /// The operations that were sent since the last call.
    fn sent(&self) -> Vec<String> {
        self.world.wire.take_sent().iter().map(describe).collect()
    }
}

/// A token that somebody signs who knows the text of a secret.
fn forged(secret: &str, at: Timestamp) -> String {
    let authority = Authority { issuer: "souk".into(), audience: "souk-api".into() };
    let Caller { user_id, session_id } = caller(2);
    Signer::from_secret(secret)
        .unwrap()
        .sign(&authority, &Caller { user_id, session_id }, None, [9; 16], at)
        .unwrap()
}

#[tokio::test]
async fn a_warm_verifier_reads_the_keys_again_every_minute() {
    let api = Api::new();
    let token = api.issue(now()).await;
    api.sent();
    for (seconds, reads) in [(0, 1), (1, 0), (MINUTE - 1, 0), (MINUTE, 1), (MINUTE + 1, 0)] {
        assert!(api.accepts(&token, later(seconds)).await);
        assert_eq!(api.sent(), vec!["Query SIGNING"; reads], "{seconds}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_every_second_at_most() {
    let api = Api::new();
    let token = forged(SECOND, now());
    assert!(!api.accepts(&token, now()).await);
    api.sent();
    for (seconds, reads) in [(0, 1), (0, 0), (1, 1), (1, 0)] {
        assert!(!api.accepts(&token, later(seconds)).await);
        assert_eq!(api.sent(), vec!["Query SIGNING"; reads], "{seconds}");
    }
}

/// The gateway caches a refusal, so the first token of a new key must not be refused.
#[tokio::test]
async fn a_new_key_is_found_although_the_keys_were_just_read() {
    let api = Api::new();
    let old = api.issue(now()).await;
    assert!(api.accepts(&old, later(MINUTE)).await);
    api.world.wire.keep_secret(SECOND);
    let new = api.issue(later(MINUTE)).await;
    assert!(api.accepts(&new, later(MINUTE)).await);
}

#[tokio::test]
async fn a_key_that_is_removed_from_the_table_verifies_nothing_after_a_minute() {
    let api = Api::new();
    let token = api.issue(now()).await;
    assert!(api.accepts(&token, now()).await);
    let kid = web::token::claimed_kid(&token).unwrap();
    api.world.delete(&keys::signing_key(&kid));
    assert!(api.accepts(&token, later(MINUTE - 1)).await);
    assert!(!api.accepts(&token, later(MINUTE)).await);
}

/// Somebody who learned the old secret signs with it as long as they can.
#[tokio::test]
async fn a_replaced_key_signs_nothing_after_seven_minutes_and_its_tokens_stay_valid() {
    let api = Api::new();
    let first = api.issue(now()).await;
    api.world.wire.keep_secret(SECOND);
    // A warm issuer signs with the old key for a minute.
    let last = api.issue(later(MINUTE - 1)).await;
    assert_eq!(web::token::claimed_kid(&last), web::token::claimed_kid(&first));
    let next = api.issue(later(MINUTE)).await;
    assert_ne!(web::token::claimed_kid(&next), web::token::claimed_kid(&first));

    let end = 7 * MINUTE;
    for seconds in [end, end + 1] {
        assert!(!api.accepts(&forged(FIRST, later(seconds)), later(seconds)).await, "{seconds}");
    }
    let forged_for_later = forged(FIRST, later(end));
    assert!(api.accepts(&first, later(15 * MINUTE - 1)).await);
    assert!(!api.accepts(&first, later(15 * MINUTE)).await);
    assert!(api.accepts(&last, later(15 * MINUTE)).await && api.accepts(&next, later(15 * MINUTE)).await);
    assert!(!api.accepts(&forged_for_later, later(15 * MINUTE)).await);
}

/// A verifier has read the keys just before an issuer extended the time of its key, and the old time has passed.
#[tokio::test]
async fn a_key_whose_time_was_extended_after_the_last_read_signs_on() {
    let api = Api::new();
    let first = api.issue(now()).await;
    // The first time of the key ends 273 seconds from now.
    let [read, extended, issued] = [240, 241, 280];
    assert!(api.accepts(&first, later(read)).await);
    api.issue(later(extended)).await;
    let late = api.issue(later(issued)).await;
    api.sent();
    assert!(api.accepts(&late, later(issued)).await);
    assert_eq!(api.sent(), ["Query SIGNING"]);
    assert!(api.accepts(&late, later(issued)).await);
    assert_eq!(api.sent(), [""; 0]);
}

#[tokio::test]
async fn a_key_that_is_in_use_signs_on() {
    let api = Api::new();
    for minute in 0..60 {
        let at = later(minute * MINUTE);
        let token = api.issue(at).await;
        assert!(api.accepts(&token, at).await, "{minute}");
    }
    let sent = api.sent();
    let count = |operation: &str| sent.iter().filter(|request| *request == operation).count();
    assert_eq!((count("GetSecretValue"), count("UpdateItem SIGNING"), count("Query SIGNING")), (60, 60, 60));
}

#[tokio::test]
async fn a_revocation_ends_every_token_of_older_keys_within_a_minute() {
    let api = Api::new();
    let old = api.issue(now()).await;
    assert!(api.accepts(&old, now()).await);

    let app = function::App::new(context(&api.world, SETTINGS)).unwrap();
    let output = function::revoke(&app, function::Input {}).await.unwrap();
    assert_eq!(output.revoked, 1);

    let stolen = forged(FIRST, later(MINUTE));
    assert!(!api.accepts(&old, later(MINUTE)).await && !api.accepts(&stolen, later(MINUTE)).await);
    // The issuer reads the new secret after the same minute.
    let new = api.issue(later(MINUTE)).await;
    assert_eq!(web::token::claimed_kid(&new), Some(output.kid));
    assert!(api.accepts(&new, later(2 * MINUTE)).await);
    assert!(!api.accepts(&old, later(2 * MINUTE)).await);
}

/// The operator repeats a revocation whose answer was lost.
#[tokio::test]
async fn a_repeated_revocation_revokes_the_key_of_the_first() {
    let api = Api::new();
    let app = function::App::new(context(&api.world, SETTINGS)).unwrap();
    function::revoke(&app, function::Input {}).await.unwrap();
    let token = api.issue(now()).await;
    api.world.wire.keep_secret(SECOND);
    let kept = Signer::from_secret(SECOND).unwrap();
    assert_eq!(api.world.table.revoke_signing_keys(kept.kid(), now()).await, Ok(1));
    assert!(!api.accepts(&token, later(MINUTE)).await);
    assert!(api.accepts(&api.issue(later(MINUTE)).await, later(2 * MINUTE)).await);
}

/// A request that read the secret before it was replaced must not sign with it.
#[tokio::test]
async fn an_issuer_with_a_revoked_key_signs_nothing_and_reads_the_secret_again() {
    let api = Api::new();
    let first = Signer::from_secret(FIRST).unwrap();
    api.issue(now()).await;
    api.world.table.revoke_signing_keys("another", now()).await.unwrap();
    let late = TokenIssuer::new(&context(&api.world, SETTINGS)).unwrap();
    assert!(is_unavailable(&late.issue(&caller(1), None, now()).await));
    api.world.wire.keep_secret(SECOND);
    let token = late.issue(&caller(1), None, now()).await.unwrap();
    assert_ne!(web::token::claimed_kid(&token).as_deref(), Some(first.kid()));
    assert!(api.accepts(&token, now()).await);
}
