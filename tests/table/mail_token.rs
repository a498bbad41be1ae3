//! Tokens of mails: how long they are good, and what they do once.

use domain::mail_token::TokenUse::{self, PasswordReset, Verification};
use futures::future::join_all;
use serde_json::{Value, json};
use table::{Credential, TokenState, keys};
use tests::{
    Fault, World,
    samples::{account, email, later, now, user_id},
};

const ADDRESS: &str = "ada@example.com";

/// The hash of a token: this byte.
fn hash(byte: u8) -> [u8; 32] {
    [byte; 32]
}

/// A world with an account.
async fn world() -> World {
    let world = World::new();
    let (user, email, credential) = account(1, ADDRESS);
    world.table.register(&user, &email, &credential).await.unwrap();
    world
}

async fn issue(world: &World, good_for: TokenUse, byte: u8, seconds: u64) {
    world.table.issue_mail_token(good_for, user_id(1), &hash(byte), later(seconds)).await.unwrap();
}

async fn state(world: &World, good_for: TokenUse, byte: u8, seconds: u64) -> TokenState {
    world.table.mail_token(good_for, user_id(1), &hash(byte), later(seconds)).await.unwrap()
}

async fn verify(world: &World, byte: u8, seconds: u64) -> bool {
    world.table.verify_address(user_id(1), &email(ADDRESS), &hash(byte), later(seconds)).await.unwrap()
}

async fn reset(world: &World, byte: u8, password: &str, seconds: u64) -> bool {
    let (address, hash) = (email(ADDRESS), hash(byte));
    world.table.reset_password(user_id(1), &address, &hash, password, later(seconds)).await.unwrap()
}

async fn credential(world: &World) -> Credential {
    world.table.credential(&email(ADDRESS)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_token_is_stored_as_its_hash() {
    let world = World::new();
    let hash = hash(1);
    let issue = world.table.issue_mail_token(PasswordReset, user_id(1), &hash, now());
    world.measure("issue_mail_token", "a reset", issue).await.unwrap();
    let id = user_id(1);
    assert_eq!(
        world.items(),
        [json!({
            "pk": {"S": format!("RESET#{id}")}, "sk": {"S": "TOKENS"},
            "newest": {"M": {
                "hash": {"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}, "expiresAt": {"N": "1763661627040"},
            }},
            "second": {"NULL": true}, "third": {"NULL": true}, "ttl": {"N": "1763661627"},
        })]
    );
}

#[tokio::test]
async fn the_newest_three_tokens_are_good() {
    let world = World::new();
    let first = hash(0);
    let issue_first = world.table.issue_mail_token(Verification, user_id(1), &first, now());
    world.measure("issue_mail_token", "a verification", issue_first).await.unwrap();
    for byte in 1..=4 {
        issue(&world, Verification, byte, u64::from(byte)).await;
    }
    assert_eq!(state(&world, Verification, 1, 5).await, TokenState::Unknown);
    for byte in 2..=4 {
        assert_eq!(state(&world, Verification, byte, 5).await, TokenState::Good, "{byte}");
    }
    let hash = hash(4);
    let read = world.table.mail_token(PasswordReset, user_id(1), &hash, later(5));
    let read = world.measure("mail_token", "", read).await.unwrap();
    assert_eq!(read, TokenState::Unknown, "it is good for something else");
}

#[tokio::test]
async fn a_token_whose_answer_was_lost_takes_one_place() {
    let world = World::new();
    issue(&world, Verification, 1, 0).await;
    issue(&world, Verification, 2, 0).await;
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    issue(&world, Verification, 3, 0).await;
    assert_eq!(state(&world, Verification, 1, 1).await, TokenState::Good);
}

#[tokio::test]
async fn a_token_is_good_for_its_time() {
    for (good_for, seconds) in [(Verification, 24 * 60 * 60), (PasswordReset, 30 * 60)] {
        let world = world().await;
        issue(&world, good_for, 1, 0).await;
        assert_eq!(state(&world, good_for, 1, seconds - 1).await, TokenState::Good);
        assert_eq!(state(&world, good_for, 1, seconds).await, TokenState::Unknown);
        assert!(!verify(&world, 1, seconds).await && !reset(&world, 1, "new", seconds).await);
        assert_eq!(credential(&world).await, account(1, ADDRESS).2);
    }
}

#[tokio::test]
async fn a_verification_shows_in_the_credential_and_in_the_profile() {
    let world = world().await;
    issue(&world, Verification, 1, 0).await;
    let address = email(ADDRESS);
    let hash = hash(1);
    let verify = world.table.verify_address(user_id(1), &address, &hash, later(7));
    assert_eq!(world.measure("verify_address", "", verify).await, Ok(true));
    assert_eq!(credential(&world).await.verified_at, Some(later(7)));
    let user = world.table.user(user_id(1)).await.unwrap();
    assert_eq!((user.verified_at, user.version), (Some(later(7)), 2));
}

#[tokio::test]
async fn a_second_verification_leaves_the_time_of_the_first() {
    let world = world().await;
    for (byte, seconds) in [(1, 1), (2, 2)] {
        issue(&world, Verification, byte, 0).await;
        assert!(verify(&world, byte, seconds).await);
    }
    assert_eq!(credential(&world).await.verified_at, Some(later(1)));
}

#[tokio::test]
async fn a_token_is_good_once_and_takes_the_others_with_it() {
    let world = world().await;
    issue(&world, PasswordReset, 1, 0).await;
    issue(&world, PasswordReset, 2, 0).await;
    let (address, hash) = (email(ADDRESS), hash(1));
    let once = world.table.reset_password(user_id(1), &address, &hash, "first", later(7));
    assert_eq!(world.measure("reset_password", "", once).await, Ok(true));
    let again = world.table.reset_password(user_id(1), &address, &hash, "second", later(7));
    assert_eq!(world.measure("reset_password", "a token that is not good", again).await, Ok(false));
    assert!(!reset(&world, 2, "third", 7).await);
    let stored = credential(&world).await;
    assert_eq!(stored.password_hash, "first");
    assert_eq!(stored.verified_at, Some(later(7)), "whoever got the mail has the address");
    assert_eq!(state(&world, PasswordReset, 1, 8).await, TokenState::Spent);
    assert_eq!(state(&world, PasswordReset, 2, 8).await, TokenState::Unknown);
}

#[tokio::test]
async fn one_of_many_resets_with_one_token_succeeds() {
    let world = world().await;
    issue(&world, PasswordReset, 1, 0).await;
    let attempts: Vec<String> = (0..20).map(|number| format!("hash {number}")).collect();
    let results = join_all(attempts.iter().map(|password| reset(&world, 1, password, 1))).await;
    let won: Vec<usize> = (0..20).filter(|number| results[*number]).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(credential(&world).await.password_hash, attempts[won[0]]);
}

#[tokio::test]
async fn a_reset_whose_answer_was_lost_has_succeeded() {
    let world = world().await;
    issue(&world, PasswordReset, 1, 0).await;
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert!(reset(&world, 1, "new", 1).await);
    assert_eq!(credential(&world).await.password_hash, "new");
}

/// An account that was deleted, or whose address belongs to another user by now.
#[tokio::test]
async fn a_token_of_an_account_that_is_gone_changes_nothing() {
    let world = world().await;
    world.table.issue_mail_token(PasswordReset, user_id(2), &hash(1), now()).await.unwrap();
    let before = world.items();
    let (address, hash) = (email(ADDRESS), hash(1));
    let reset = world.table.reset_password(user_id(2), &address, &hash, "new", now()).await;
    assert_eq!(reset, Ok(false));
    assert_eq!(world.items(), before);
}

/// Users that registered before there were versions have none.
#[tokio::test]
async fn the_profile_of_an_older_user_gets_a_version() {
    let world = world().await;
    let key = keys::profile(user_id(1));
    let mut item = world.item(&key);
    item.as_object_mut().unwrap().remove("version");
    world.put(&key, &item);
    assert_eq!(world.table.user(user_id(1)).await.unwrap().version, 1);
    issue(&world, Verification, 1, 0).await;
    assert!(verify(&world, 1, 1).await);
    assert_eq!(world.item(&key)["version"], json!({"N": "2"}));
    assert_ne!(world.item(&key)["displayName"], Value::Null);
}
