//! Public signing keys.

use serde_json::json;
use table::PublishedKey;
use tests::{
    Fault, World,
    samples::{later, now},
};

fn key(kid: &str, seconds: u64) -> PublishedKey {
    PublishedKey { kid: kid.to_owned(), public: [7; 32], expires_at: later(seconds - 1).whole() }
}

/// The next whole second; keys expire at whole seconds.
trait Whole {
    fn whole(self) -> Self;
}

impl Whole for domain::Timestamp {
    fn whole(self) -> Self {
        Self::from_unix_milliseconds((self.unix_seconds() + 1) * 1000)
    }
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
            "public": {"B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}, "ttl": {"N": "1763659887"},
        })]
    );
    let known = world.measure("signing_keys", "", world.table.signing_keys(now())).await;
    assert_eq!(known, Ok(vec![published]));
}

#[tokio::test]
async fn a_key_that_is_known_for_as_long_is_left_as_it_is() {
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
async fn a_key_is_known_for_longer_when_it_is_vouched_for_again() {
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

#[tokio::test]
async fn two_keys_are_known_while_one_replaces_the_other_and_an_expired_one_is_not() {
    let world = World::new();
    for published in [key("old", 60), key("new", 120), key("gone", 1)] {
        world.table.publish_signing_key(&published).await.unwrap();
    }
    let mut known = world.table.signing_keys(later(30)).await.unwrap();
    known.sort_by_key(|key| key.expires_at);
    assert_eq!(known, [key("old", 60), key("new", 120)]);
    assert_eq!(world.items().len(), 3, "the expired one is still stored");
}

/// A key is published before the first token is signed with it, so a consistent read always finds it.
#[tokio::test]
async fn keys_are_read_consistently() {
    let world = World::new();
    world.table.signing_keys(now()).await.unwrap();
    assert_eq!(world.wire.take_sent()[0].body["ConsistentRead"], true);
}
