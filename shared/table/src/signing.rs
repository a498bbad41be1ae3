//! The public keys of the key pairs that sign access tokens. Private keys are never stored in the table.

use crate::{
    engine::{
        item::{b, bytes, n, number, s, text},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
};
use domain::{Error, Timestamp, session::ACCESS_SECONDS};
use futures::future::try_join_all;

const PUBLIC: &str = "public";
/// In seconds since 1970.
const SIGNS_UNTIL: &str = "signsUntil";
/// Present if the key was revoked.
const REVOKED: &str = "revoked";

/// How long a revoked key stays in the table, in seconds, so that no signer that still has its secret publishes it again.
const REVOKED_SECONDS: u64 = 24 * 60 * 60;

/// The maximum number of keys to read: more than key rotation leaves valid at the same time.
const MOST_KEYS: i32 = 20;

/// A public key that verifies tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// The key id in the token's header.
    pub kid: String,
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// The time until which the key signs, in whole seconds. Issuers that sign with it extend the time.
    pub signs_until: Timestamp,
}

impl PublishedKey {
    /// The time when the last token has expired.
    fn expires_at(&self) -> Timestamp {
        self.signs_until.plus_seconds(ACCESS_SECONDS)
    }
}

impl Table {
    /// Stores a public key with the time until which it signs. A stored time that is no earlier is left unchanged.
    /// Fails if the key was revoked.
    pub async fn publish_signing_key(&self, key: &PublishedKey) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::signing_key(&key.kid).primary()))
            .update_expression("SET #public = :public, #until = :until, #ttl = :ttl")
            .condition_expression(
                "attribute_not_exists(#revoked) AND (attribute_not_exists(#until) OR #until < :until)",
            )
            .expression_attribute_names("#public", PUBLIC)
            .expression_attribute_names("#until", SIGNS_UNTIL)
            .expression_attribute_names("#revoked", REVOKED)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":public", b(&key.public))
            .expression_attribute_values(":until", n(key.signs_until.unix_seconds()))
            .expression_attribute_values(":ttl", keys::ttl(key.expires_at()).1);
        match self.update(update).await? {
            Written::Refused(Some(stored)) if stored.contains_key(REVOKED) => {
                Err(Error::unavailable("the signing key was revoked, and the secret is about to be replaced"))
            }
            // The stored key signs for no shorter.
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// The public keys whose tokens can be valid now. Strongly consistent, since a key is stored just before its first
    /// token.
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<PublishedKey>, Error> {
        let keys = self.stored_signing_keys().await?;
        Ok(keys.into_iter().filter(|key| key.expires_at() > now).collect())
    }

    /// Revokes all public keys but one: they verify nothing any more, and cannot be published again. Returns their number.
    /// Idempotent.
    pub async fn revoke_signing_keys(&self, kept: &str, now: Timestamp) -> Result<usize, Error> {
        let keys = self.stored_signing_keys().await?;
        let others: Vec<PublishedKey> = keys.into_iter().filter(|key| key.kid != kept).collect();
        try_join_all(others.iter().map(|key| self.revoke_signing_key(&key.kid, now))).await?;
        Ok(others.len())
    }

    async fn revoke_signing_key(&self, kid: &str, now: Timestamp) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::signing_key(kid).primary()))
            .update_expression("SET #revoked = :revoked, #ttl = :ttl")
            .expression_attribute_names("#revoked", REVOKED)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":revoked", n(now.unix_seconds()))
            .expression_attribute_values(":ttl", keys::ttl(now.plus_seconds(REVOKED_SECONDS)).1);
        self.update(update).await?;
        Ok(())
    }

    /// The keys that are not revoked.
    async fn stored_signing_keys(&self) -> Result<Vec<PublishedKey>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(keys::SIGNING))
            .consistent_read(true)
            .limit(MOST_KEYS);
        let sent = self.query(query).await?;
        let published = sent.items().iter().filter(|item| !item.contains_key(REVOKED)).filter_map(|item| {
            Some(PublishedKey {
                kid: keys::parse_signing_key(text(item, SK)?)?.to_owned(),
                public: bytes(item, PUBLIC)?.try_into().ok()?,
                signs_until: Timestamp::from_unix_milliseconds(
                    number(item, SIGNS_UNTIL)?.saturating_mul(1000),
                ),
            })
        });
        Ok(published.collect())
    }
}
