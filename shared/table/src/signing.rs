//! The public halves of the keys that sign access tokens. The private halves never come here.

use crate::{
    Table,
    item::{b, bytes, number, text},
    keys::{self, PK, SK},
    request::Written,
};

use domain::{Error, Timestamp};

const PUBLIC: &str = "public";

/// More keys than rotation ever leaves valid at once.
const MOST_KEYS: i32 = 20;

/// A public key that tokens can be verified with, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// The id that a token names it by.
    pub kid: String,
    /// Ed25519.
    pub public: [u8; 32],
    /// After this, nothing that it signed is good.
    pub expires_at: Timestamp,
}

impl Table {
    /// Makes a public key known until it expires. A key that is known for at least as long is left as it is.
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
            // It is known for long enough already.
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// The public keys that are valid now. Strongly consistent: a token is never older than its key.
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<PublishedKey>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", crate::item::s(keys::SIGNING))
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
