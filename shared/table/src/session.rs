//! Sessions: creating, rotating the refresh token, ending.
//!
//! A session that has ended leaves an item without a secret for a while. A PutItem of the session that the network
//! delivers late, after its repetition and after the end, fails its condition and revives nothing.

use crate::{
    engine::{
        item::{Item, b, bytes, n, number, s},
        request::Written,
        table::Table,
    },
    keys,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{SessionId, UserId},
    session::{RefreshToken, Session},
};

/// SHA-256 of the secret of the current refresh token.
const SECRET_HASH: &str = "secretHash";
/// The end of the session in milliseconds since 1970. Reads check it because DynamoDB's `ttl` deletes items late.
const EXPIRES_AT: &str = "expiresAt";
const CREATED_AT: &str = "createdAt";

/// How long an ended session is kept. AWS refuses a request that arrives more than five minutes after it was signed.
const ENDED_SECONDS: u64 = 60 * 60;

impl Table {
    /// Stores a new session, unless it is stored or has ended already. Idempotent, because its id is new.
    pub async fn create_session(&self, session: &Session) -> Result<(), Error> {
        let mut item: Item = keys::session(session).primary();
        item.insert(SECRET_HASH.into(), b(&session.secret_hash));
        item.insert(CREATED_AT.into(), s(session.created_at.to_string()));
        item.insert(EXPIRES_AT.into(), to_milliseconds(session.expires_at));
        item.extend([keys::ttl(session.expires_at)]);
        self.create_item(item).await.map(drop)
    }

    /// Rotates the refresh token of a session. `shown` is the hash of the secret in the client's request, `next` that
    /// of the new secret.
    ///
    /// Reuse of a rotated secret means that it was copied: the session is ended. When the SDK repeats the update
    /// after a lost response, the stored hash equals `next`, which counts as success.
    pub async fn rotate_session(
        &self,
        token: &RefreshToken,
        shown: &[u8; 32],
        next: &[u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::session_of(token.user_id, token.session_id).primary()))
            .update_expression("SET #secret = :next, #expires = :expires, #ttl = :ttl")
            .condition_expression("#secret = :shown AND #expires > :now")
            .expression_attribute_names("#secret", SECRET_HASH)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":shown", b(shown))
            .expression_attribute_values(":next", b(next))
            .expression_attribute_values(":now", to_milliseconds(now))
            .expression_attribute_values(":expires", to_milliseconds(expires_at))
            .expression_attribute_values(":ttl", keys::ttl(expires_at).1);
        let Written::Refused(stored) = self.update(update).await? else { return Ok(()) };
        let Some(stored) = &stored else { return Err(REFUSED) };
        let live = number(stored, EXPIRES_AT).is_some_and(|expires| expires > now.unix_milliseconds());
        match bytes(stored, SECRET_HASH) {
            Some(hash) if hash == next => Ok(()),
            Some(hash) if live && hash != shown => {
                self.end_session(token.user_id, token.session_id, now).await?;
                Err(REFUSED)
            }
            _ => Err(REFUSED),
        }
    }

    /// Ends a session: its refresh token is void. Idempotent.
    pub async fn end_session(&self, user: UserId, session: SessionId, now: Timestamp) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::session_of(user, session).primary()))
            .update_expression("SET #ttl = :ttl REMOVE #secret, #created, #expires")
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_names("#secret", SECRET_HASH)
            .expression_attribute_names("#created", CREATED_AT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_values(":ttl", keys::ttl(now.plus_seconds(ENDED_SECONDS)).1);
        self.update(update).await.map(drop)
    }
}

/// The same error for every fault of a refresh token, so that it does not reveal which one.
const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

fn to_milliseconds(at: Timestamp) -> AttributeValue {
    n(at.unix_milliseconds())
}
