//! Sessions: creating, rotating the refresh token, ending.
//!
//! A session that has ended leaves an item without a secret for a while. A PutItem of the session that the network
//! delivers late, after its repetition and after the end, fails its condition and revives nothing.

use crate::{
    engine::{
        item::{Item, b, bytes, n, number, s, text},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{SessionId, UserId},
    page::Page,
    session::{RefreshToken, Session},
};

/// SHA-256 of the secret of the current refresh token.
const SECRET_HASH: &str = "secretHash";
/// The end of the session in milliseconds since 1970. Reads check it because DynamoDB's `ttl` deletes items late.
const EXPIRES_AT: &str = "expiresAt";

/// How long an ended session is kept. AWS refuses a request that arrives more than five minutes after it was signed.
const ENDED_SECONDS: u64 = 60 * 60;

/// The maximum number of sessions that are read at once.
const SESSION_PAGE: i32 = 100;

impl Table {
    /// Stores a new session, unless it is stored or has ended already. Idempotent, because its id is new.
    pub async fn create_session(&self, session: &Session) -> Result<(), Error> {
        let mut item: Item = keys::session(session).primary();
        item.insert(SECRET_HASH.into(), b(&session.secret_hash));
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
        let put = self.client().put_item().set_item(Some(ended(user, session, now)));
        self.put(put).await.map(drop)
    }

    /// Ends the sessions of a user, but for one. Idempotent: when it is repeated after a failure, it goes on where it
    /// stopped.
    ///
    /// A session that a log-in stores during this call may stay. A function that replaces a password stores the new hash
    /// first: a log-in with the old one reads the credential again after it has stored its session.
    pub async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.open_sessions(user, after).await?;
            let others = page.items.into_iter().filter(|session| Some(*session) != except);
            self.batch_put(others.map(|session| ended(user, session, now)).collect()).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// A page of the sessions of a user that have not ended. Strongly consistent.
    async fn open_sessions(
        &self,
        user: UserId,
        after: Option<SessionId>,
    ) -> Result<Page<SessionId, SessionId>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk")
            .filter_expression("attribute_exists(#secret)")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#secret", SECRET_HASH)
            .expression_attribute_values(":pk", s(keys::session_partition(user)))
            .set_exclusive_start_key(after.map(|session| keys::session_of(user, session).primary()))
            .consistent_read(true)
            .limit(SESSION_PAGE);
        let sent = self.query(query).await?;
        let next = sent.last_evaluated_key.as_ref().and_then(id_of);
        let items = sent.items.unwrap_or_default().iter().filter_map(id_of).collect();
        Ok(Page { items, next })
    }
}

/// The item of a session that has ended.
fn ended(user: UserId, session: SessionId, now: Timestamp) -> Item {
    let mut item: Item = keys::session_of(user, session).primary();
    item.extend([keys::ttl(now.plus_seconds(ENDED_SECONDS))]);
    item
}

fn id_of(item: &Item) -> Option<SessionId> {
    keys::parse_session(text(item, SK)?)
}

/// The same error for every fault of a refresh token, so that it does not reveal which one.
const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

fn to_milliseconds(at: Timestamp) -> AttributeValue {
    n(at.unix_milliseconds())
}
