//! Public signing keys.

use crate::is_unavailable;
use domain::Timestamp;
use serde_json::json;
use table::PublishedKey;
use tests::{
    Fault, World,
    samples::{later, now},
};

/// A key that signs until the whole second that begins so many seconds from now, or a moment before.
fn key(kid: &str, seconds: u64) -> PublishedKey {
    let signs_until = Timestamp::from_unix_milliseconds(later(seconds).unix_seconds() * 1000);
    PublishedKey { kid: kid.to_owned(), public: [7; 32], signs_until }
}

#[tokio::test]
async fn a_published_key_is_stored_and_known() {
    let world = World::new();
    let published = key("k1", 60);
    let publish = world.table.publish_signing_key(&published);
    world.measure("publish_signing_key", "a new key", publish).await.unwrap();
    assert_eq!(
        world.items(),
        [json!({
            "pk": {"S": "SIGNING"}, "sk": {"S": "KEY#k1"},
            "public": {"B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="},
            "signsUntil": {"N": "1763659887"}, "ttl": {"N": "1763660787"},
        })]
    );
    let known = world.measure("signing_keys", "", world.table.signing_keys(now())).await;
    assert_eq!(known, Ok(vec![published]));
}

#[tokio::test]
async fn a_key_that_signs_for_as_long_is_left_as_it_is() {
    let world = World::new();
    world.table.publish_signing_key(&key("k1", 60)).await.unwrap();
    for seconds in [60, 30] {
        let again = key("k1", seconds);
        let publish = world.table.publish_signing_key(&again);
        world.measure("publish_signing_key", "a known key", publish).await.unwrap();
    }
    assert_eq!(world.table.signing_keys(now()).await, Ok(vec![key("k1", 60)]));
}

#[tokio::test]
async fn a_key_signs_for_longer_when_it_is_published_again() {
    let world = World::new();
    world.table.publish_signing_key(&key("k1", 60)).await.unwrap();
    world.table.publish_signing_key(&key("k1", 90)).await.unwrap();
    assert_eq!(world.table.signing_keys(now()).await, Ok(vec![key("k1", 90)]));
}

#[tokio::test]
async fn a_publication_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    assert_eq!(world.table.publish_signing_key(&key("k1", 60)).await, Ok(()));
    assert_eq!(world.table.signing_keys(now()).await, Ok(vec![key("k1", 60)]));
}

/// The tokens of a key are valid for 15 minutes after it signed the last one.
#[tokio::test]
async fn a_key_is_known_until_its_last_token_has_expired() {
    let world = World::new();
    for published in [key("old", 60), key("new", 120)] {
        world.table.publish_signing_key(&published).await.unwrap();
    }
    let known = async |seconds| {
        let keys = world.table.signing_keys(later(seconds)).await.unwrap();
        let mut kids: Vec<String> = keys.into_iter().map(|key| key.kid).collect();
        kids.sort_unstable();
        kids
    };
    assert_eq!(known(60 + 899).await, ["new", "old"]);
    assert_eq!(known(60 + 900).await, ["new"]);
    assert_eq!(known(120 + 900).await, [""; 0]);
    assert_eq!(world.items().len(), 2, "DynamoDB deletes expired items late");
}

#[tokio::test]
async fn a_revoked_key_is_unknown_and_cannot_be_published_again() {
    let world = World::new();
    for kid in ["k1", "k2", "k3"] {
        world.table.publish_signing_key(&key(kid, 60)).await.unwrap();
    }
    let revoke = world.table.revoke_signing_keys("k3", now());
    assert_eq!(world.measure("revoke_signing_keys", "two of three keys", revoke).await, Ok(2));
    assert_eq!(world.table.signing_keys(now()).await, Ok(vec![key("k3", 60)]));

    let published = key("k1", 600);
    let publish = world.table.publish_signing_key(&published);
    let refused = world.measure("publish_signing_key", "a revoked key", publish).await;
    assert!(is_unavailable(&refused), "{refused:?}");
    world.table.publish_signing_key(&key("k3", 600)).await.unwrap();
    assert_eq!(world.table.signing_keys(now()).await, Ok(vec![key("k3", 600)]));
    assert_eq!(world.table.revoke_signing_keys("k3", now()).await, Ok(0));
}

#[tokio::test]
async fn a_revocation_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    world.table.publish_signing_key(&key("k1", 60)).await.unwrap();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    assert_eq!(world.table.revoke_signing_keys("k2", now()).await, Ok(1));
    assert_eq!(world.table.signing_keys(now()).await, Ok(Vec::new()));
}

/// A key is published before the first token is signed with it, so a consistent read always finds it.
#[tokio::test]
async fn keys_are_read_consistently() {
    let world = World::new();
    world.table.signing_keys(now()).await.unwrap();
    assert_eq!(world.wire.take_sent()[0].body["ConsistentRead"], true);
}
