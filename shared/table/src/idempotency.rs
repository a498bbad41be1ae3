//! Idempotency records: written in the same transaction as the items that the request creates.

use crate::{
    engine::{
        item::{Item, b, bytes, number, s, text},
        table::Table,
        transaction::Transacted,
    },
    keys,
};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    Error, Timestamp,
    id::UserId,
    idempotency::{Creation, Idempotency, KEY_SECONDS, StoredResponse},
};
use std::{fmt::Display, str::FromStr};

const FINGERPRINT: &str = "fingerprint";
const ANSWER: &str = "answer";
/// The id of what the request creates or changes.
const ID: &str = "id";

/// The result of recording a request under its idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded<I> {
    /// The request is recorded now.
    Now,
    /// An earlier attempt recorded it, with this id.
    Before(I),
}

impl Table {
    /// Writes new items, all or none, and with an idempotency key the response to replay. A repeated request changes
    /// nothing and returns the stored response.
    pub(crate) async fn put_new(
        &self,
        items: Vec<Item>,
        owner: UserId,
        operation: &str,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
        now: Timestamp,
    ) -> Result<Creation, Error> {
        if let ([item], None) = (items.as_slice(), idempotency) {
            // The id is new, so a stored item was written by this request, whose response was lost.
            return self.create_item(item.clone()).await.map(|_| Creation::New);
        }
        let writes = items.into_iter().map(|item| self.put_if_absent(item)).collect::<Result<_, _>>()?;
        self.write_new(writes, owner, operation, idempotency, now).await
    }

    /// As [`Table::put_new`], with the writes that the request makes. The ids in them must be new.
    pub(crate) async fn write_new(
        &self,
        mut writes: Vec<TransactWriteItem>,
        owner: UserId,
        operation: &str,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
        now: Timestamp,
    ) -> Result<Creation, Error> {
        let record = writes.len();
        if let Some((idempotency, answer)) = idempotency {
            writes.push(self.response_record(owner, operation, idempotency, answer, now)?);
        }
        match (self.transact(writes).await?, idempotency) {
            (Transacted::Done, _) => Ok(Creation::New),
            (Transacted::Refused(index, stored), Some((idempotency, _))) if index == record => {
                replay(idempotency, stored.as_ref())
            }
            (Transacted::Refused(..), _) => Err(Error::internal("a new id is already in use")),
        }
    }

    /// The write that records a request's response; its condition fails when the idempotency key is in use.
    fn response_record(
        &self,
        user: UserId,
        operation: &str,
        idempotency: &Idempotency,
        answer: &StoredResponse,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let answer = serde_json::to_string(answer)
            .map_err(|error| Error::internal(format!("a response cannot be serialized: {error}")))?;
        self.put_if_absent_or_expired(record(user, operation, idempotency, (ANSWER, answer), now), now)
    }

    /// The id that an earlier request with the same idempotency key and body recorded.
    pub(crate) async fn recorded_under_key<I: FromStr>(
        &self,
        user: UserId,
        operation: &str,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<I>, Error> {
        let stored =
            self.get_item(keys::idempotency(user, operation, idempotency.key.as_str()), true).await?;
        let live = stored.filter(|stored| number(stored, keys::TTL) >= Some(now.unix_seconds()));
        live.map(|stored| recorded_id(&stored, idempotency)).transpose()
    }

    /// Records a request under its idempotency key, in one transaction with `writes`, before any other work: a later
    /// request with the same key finds the record. The ids in `writes` must be new.
    pub(crate) async fn record_under_key<I: FromStr + Display>(
        &self,
        user: UserId,
        operation: &str,
        idempotency: &Idempotency,
        id: &I,
        mut writes: Vec<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<Recorded<I>, Error> {
        writes.insert(0, self.id_record(user, operation, idempotency, id, now)?);
        match self.transact(writes).await? {
            Transacted::Done => Ok(Recorded::Now),
            Transacted::Refused(0, Some(stored)) => recorded_id(&stored, idempotency).map(Recorded::Before),
            Transacted::Refused(..) => Err(Error::internal("a new id is already in use")),
        }
    }

    /// The write that records the id which a request is about; its condition fails when the idempotency key is in use.
    pub(crate) fn id_record(
        &self,
        user: UserId,
        operation: &str,
        idempotency: &Idempotency,
        id: &impl Display,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        self.put_if_absent_or_expired(record(user, operation, idempotency, (ID, id.to_string()), now), now)
    }
}

/// The idempotency record: the request's fingerprint and one more attribute, `what`.
fn record(
    user: UserId,
    operation: &str,
    idempotency: &Idempotency,
    what: (&str, String),
    now: Timestamp,
) -> Item {
    let mut item: Item = keys::idempotency(user, operation, idempotency.key.as_str()).primary();
    item.insert(FINGERPRINT.into(), b(&idempotency.fingerprint));
    item.insert(what.0.into(), s(what.1));
    item.extend([keys::ttl(now.plus_seconds(KEY_SECONDS))]);
    item
}

/// Fails with `KeyReused` when the body differs from that of the recorded request.
fn same_request(stored: &Item, idempotency: &Idempotency) -> Result<(), Error> {
    if bytes(stored, FINGERPRINT) == Some(&idempotency.fingerprint) { Ok(()) } else { Err(Error::KeyReused) }
}

/// The id in the record of an earlier request; `KeyReused` when the bodies differ.
pub(crate) fn recorded_id<I: FromStr>(stored: &Item, idempotency: &Idempotency) -> Result<I, Error> {
    same_request(stored, idempotency)?;
    let id = text(stored, ID).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal("an idempotency record cannot be parsed"))
}

/// Interprets a key that is in use: the stored response for the same body, `KeyReused` for another.
fn replay(idempotency: &Idempotency, stored: Option<&Item>) -> Result<Creation, Error> {
    let stored =
        stored.ok_or_else(|| Error::internal("the failed condition returned no idempotency record"))?;
    same_request(stored, idempotency)?;
    let answer = text(stored, ANSWER).and_then(|answer| serde_json::from_str(answer).ok());
    answer.map(Creation::Replayed).ok_or_else(|| Error::internal("an idempotency record cannot be parsed"))
}
