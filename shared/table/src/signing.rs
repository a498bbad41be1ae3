//! The public keys of the key pairs that sign access tokens. Private keys are never stored in the table.

use crate::{
    engine::{
        item::{b, bytes, number, s, text},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
};
use domain::{Error, Timestamp};

const PUBLIC: &str = "public";

/// The maximum number of keys to read: more than key rotation leaves valid at the same time.
const MOST_KEYS: i32 = 20;

/// A public key that verifies tokens until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// The key id in the token's header.
    pub kid: String,
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// Tokens signed with this key are invalid after this time.
    pub expires_at: Timestamp,
}

impl Table {
    /// Stores a public key until it expires. A stored key that expires no earlier is left unchanged.
    pub async fn publish_signing_key(&self, key: &PublishedKey) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::signing_key(&key.kid).primary()))
            .update_expression("SET #public = :public, #ttl = :ttl")
            .condition_expression("attribute_not_exists(#ttl) OR #ttl < :ttl")
            .expression_attribute_names("#public", PUBLIC)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":public", b(&key.public))
            .expression_attribute_values(":ttl", keys::ttl(key.expires_at).1);
        match self.update(update).await? {
            // A failed condition means that the stored key expires no earlier.
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// The public keys that are valid now. Strongly consistent, since a key is stored just before its first token.
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<PublishedKey>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(keys::SIGNING))
            .consistent_read(true)
            .limit(MOST_KEYS);
        let sent = self.query(query).await?;
        let published = sent.items().iter().filter_map(|item| {
            Some(PublishedKey {
                kid: keys::parse_signing_key(text(item, SK)?)?.to_owned(),
                public: bytes(item, PUBLIC)?.try_into().ok()?,
                expires_at: Timestamp::from_unix_milliseconds(number(item, keys::TTL)?.saturating_mul(1000)),
            })
        });
        Ok(published.filter(|key| key.expires_at > now).collect())
    }
}
