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
use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use domain::{
    Error, Timestamp,
    id::{Id, SessionId, UserId},
    session::{self, Exchange, Late, ListedSession, MOST_SESSIONS, RefreshToken, Secrets, Session},
    user::Caller,
};

/// SHA-256 of the secret of the current refresh token.
const SECRET_HASH: &str = "secretHash";
/// SHA-256 of the secret that was exchanged for it.
const PREVIOUS_HASH: &str = "previousHash";
/// The time of that exchange in milliseconds since 1970.
const EXCHANGED_AT: &str = "exchangedAt";
const USER_AGENT: &str = "userAgent";
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
        item.extend(session.user_agent.as_ref().map(|name| (USER_AGENT.into(), s(name))));
        self.create_item(item).await.map(drop)
    }

    /// Exchanges the secret of a session for its successor, and returns the end of the session.
    ///
    /// The successor follows from the secret, so that it does not matter who was first when the SDK repeats the update
    /// after a lost response, or when two requests come at once: each gets the same.
    pub async fn rotate_session(
        &self,
        token: &RefreshToken,
        exchange: Exchange,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        let ends_at = session::end_of(token.session_id, now);
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::session_of(token.user_id, token.session_id).primary()))
            .update_expression(
                "SET #secret = :next, #previous = :shown, #exchanged = :now, #expires = :expires, #ttl = :ttl",
            )
            .condition_expression("#secret = :shown AND #expires > :now")
            .expression_attribute_names("#secret", SECRET_HASH)
            .expression_attribute_names("#previous", PREVIOUS_HASH)
            .expression_attribute_names("#exchanged", EXCHANGED_AT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":shown", b(&exchange.shown))
            .expression_attribute_values(":next", b(&exchange.next))
            .expression_attribute_values(":now", to_milliseconds(now))
            .expression_attribute_values(":expires", to_milliseconds(ends_at))
            .expression_attribute_values(":ttl", keys::ttl(ends_at).1);
        let Written::Refused(stored) = self.update(update).await? else { return Ok(ends_at) };
        let open = stored.as_ref().and_then(|item| Some((secrets_of(item)?, open_until(item, now)?)));
        let (secrets, stored_end) = open.ok_or(REFUSED)?;
        match secrets.judge(&exchange, now) {
            Late::Repeated => Ok(stored_end),
            Late::Stolen => {
                self.end_session(token.user_id, token.session_id, now).await?;
                Err(Error::RefreshReused)
            }
            Late::Refused => Err(REFUSED),
        }
    }

    /// Fails unless the session is open. An eventually consistent read, which may show a session as open for a moment
    /// after it has ended.
    pub async fn require_session(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = keys::session_of(user, session);
        let item = match self.get_item(key.clone(), false).await? {
            Some(item) => Some(item),
            // An eventually consistent read may miss a session that was just stored.
            None => self.get_item(key, true).await?,
        };
        item.and_then(|item| open_until(&item, now)).map(drop).ok_or(ENDED)
    }

    /// Ends the oldest sessions of a user, so that [`MOST_SESSIONS`] stay open. Approximate when log-ins come at once.
    pub async fn end_oldest_sessions(&self, user: UserId, now: Timestamp) -> Result<(), Error> {
        let newest_first = self.open_sessions(user).scan_index_forward(false).consistent_read(false);
        let sent = self.query(newest_first).await?;
        let oldest = sent.items().iter().filter_map(id_of).skip(MOST_SESSIONS);
        self.batch_put(oldest.map(|session| ended(user, session, now)).collect()).await
    }

    /// The open sessions of a caller, newest first.
    pub async fn sessions(&self, caller: &Caller, now: Timestamp) -> Result<Vec<ListedSession>, Error> {
        let query = self
            .open_sessions(caller.user_id)
            .scan_index_forward(false)
            .projection_expression("#sk, #expires, #exchanged, #agent")
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#exchanged", EXCHANGED_AT)
            .expression_attribute_names("#agent", USER_AGENT);
        let sent = self.query(query).await?;
        let listed = sent.items().iter().filter_map(|item| {
            let session_id = id_of(item)?;
            let exchanged_at = number(item, EXCHANGED_AT).map(Timestamp::from_unix_milliseconds);
            Some(ListedSession {
                session_id,
                created_at: session_id.made_at(),
                last_used_at: exchanged_at.unwrap_or(session_id.made_at()),
                expires_at: open_until(item, now)?,
                user_agent: text(item, USER_AGENT).map(str::to_owned),
                current: session_id == caller.session_id,
            })
        });
        Ok(listed.collect())
    }

    /// Ends a session: its refresh token and its access tokens are void. Idempotent. `NotFound` if there is no such session.
    pub async fn end_session(&self, user: UserId, session: SessionId, now: Timestamp) -> Result<(), Error> {
        let put = self.client().put_item().set_item(Some(ended(user, session, now)));
        let put = put.condition_expression("attribute_exists(#pk)").expression_attribute_names("#pk", PK);
        match self.put(put).await? {
            Written::Done(_) => Ok(()),
            Written::Refused(_) => Err(Error::NotFound { what: SessionId::WHAT }),
        }
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
            let page = self.open_sessions(user).limit(SESSION_PAGE).set_exclusive_start_key(after);
            let sent = self.query(page).await?;
            let others = sent.items().iter().filter_map(id_of).filter(|session| Some(*session) != except);
            self.batch_put(others.map(|session| ended(user, session, now)).collect()).await?;
            after = sent.last_evaluated_key;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The query for the ids of a user's sessions that have not ended. Strongly consistent.
    fn open_sessions(&self, user: UserId) -> QueryFluentBuilder {
        self.client()
            .query()
            .key_condition_expression("#pk = :pk")
            .filter_expression("attribute_exists(#secret)")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#secret", SECRET_HASH)
            .expression_attribute_values(":pk", s(keys::session_partition(user)))
            .consistent_read(true)
    }
}

/// The item of a session that has ended.
fn ended(user: UserId, session: SessionId, now: Timestamp) -> Item {
    let mut item: Item = keys::session_of(user, session).primary();
    item.extend([keys::ttl(now.plus_seconds(ENDED_SECONDS))]);
    item
}

/// The end of a session that is open.
fn open_until(item: &Item, now: Timestamp) -> Option<Timestamp> {
    number(item, EXPIRES_AT).map(Timestamp::from_unix_milliseconds).filter(|end| *end > now)
}

/// The secrets of a session that has not ended.
fn secrets_of(item: &Item) -> Option<Secrets> {
    let hash = |name| bytes(item, name)?.try_into().ok();
    let exchanged_at = number(item, EXCHANGED_AT).map(Timestamp::from_unix_milliseconds);
    Some(Secrets { current: hash(SECRET_HASH)?, previous: hash(PREVIOUS_HASH).zip(exchanged_at) })
}

fn id_of(item: &Item) -> Option<SessionId> {
    keys::parse_session(text(item, SK)?)
}

/// The same error for every fault of a refresh token, so that it does not reveal which one.
const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

const ENDED: Error = Error::Unauthenticated { detail: "The session has ended." };

fn to_milliseconds(at: Timestamp) -> AttributeValue {
    n(at.unix_milliseconds())
}
