//! Idempotency records: written in the same transaction as what they stand for.

use crate::{
    Table,
    item::{Item, b, bytes, n, number, s, text},
    keys::{self, PK},
    transaction::Transacted,
};
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::{
    Error, Timestamp,
    id::UserId,
    idempotency::{Answer, KEY_SECONDS, Once, Outcome},
};
use std::{fmt::Display, str::FromStr};

const FINGERPRINT: &str = "fingerprint";
const ANSWER: &str = "answer";
/// What a request whose work goes on behind it asked for.
const ID: &str = "id";

/// What became of a request that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded<I> {
    /// It is recorded now.
    Now,
    /// It was recorded before, for this.
    Before(I),
}

impl Table {
    /// Writes new items, all or none, and with an idempotency key the answer to be given again. The same request a
    /// second time changes nothing and has the first one's answer.
    pub(crate) async fn put_new(
        &self,
        items: Vec<Item>,
        owner: UserId,
        operation: &str,
        once: Option<(&Once, &Answer)>,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        if let ([item], None) = (items.as_slice(), once) {
            let put = self
                .client()
                .put_item()
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK);
            // Its id is new: what stands in the way was written by this very request, whose answer was lost.
            return self.put(put).await.map(|_| Outcome::Done);
        }
        let mut writes = items.into_iter().map(|item| self.new_item(item)).collect::<Result<Vec<_>, _>>()?;
        let record = writes.len();
        if let Some((once, answer)) = once {
            writes.push(self.record_once(owner, operation, once, answer, now)?);
        }
        match (self.transact(writes).await?, once) {
            (Transacted::Done, _) => Ok(Outcome::Done),
            (Transacted::Refused(index, stored), Some((once, _))) if index == record => {
                replay(once, stored.as_ref())
            }
            (Transacted::Refused(..), _) => Err(Error::internal("a new id is in use")),
        }
    }

    /// The write that records a request's answer, refused when the key is in use.
    fn record_once(
        &self,
        user: UserId,
        operation: &str,
        once: &Once,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let answer = serde_json::to_string(answer)
            .map_err(|error| Error::internal(format!("an answer does not serialize: {error}")))?;
        self.unexpired_item(record(user, operation, once, (ANSWER, answer), now), now)
    }

    /// What an earlier request with the same key and body asked for.
    pub(crate) async fn asked_before<I: FromStr>(
        &self,
        user: UserId,
        operation: &str,
        once: &Once,
        now: Timestamp,
    ) -> Result<Option<I>, Error> {
        let stored = self.get_item(keys::idempotency(user, operation, once.key.as_str()), true).await?;
        let live = stored.filter(|stored| number(stored, keys::TTL) >= Some(now.unix_seconds()));
        live.map(|stored| asked_for(&stored, once)).transpose()
    }

    /// Records a request under its key with what is to be written with it, before anything else happens: whoever comes later
    /// with the same key finds it. The ids in `writes` are new.
    pub(crate) async fn record_asked<I: FromStr + Display>(
        &self,
        user: UserId,
        operation: &str,
        once: &Once,
        id: &I,
        mut writes: Vec<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<Recorded<I>, Error> {
        let record = record(user, operation, once, (ID, id.to_string()), now);
        writes.insert(0, self.unexpired_item(record, now)?);
        match self.transact(writes).await? {
            Transacted::Done => Ok(Recorded::Now),
            Transacted::Refused(0, Some(stored)) => asked_for(&stored, once).map(Recorded::Before),
            Transacted::Refused(..) => Err(Error::internal("a new id is in use")),
        }
    }

    /// Writes an item where none stands that has not expired.
    fn unexpired_item(&self, item: Item, now: Timestamp) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            // DynamoDB deletes expired items late, so an expired record may still stand there.
            .condition_expression("attribute_not_exists(#pk) OR #ttl < :now")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":now", n(now.unix_seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// What stands under a key: which request it was, and one thing more.
fn record(user: UserId, operation: &str, once: &Once, what: (&str, String), now: Timestamp) -> Item {
    let mut item: Item = keys::idempotency(user, operation, once.key.as_str()).primary();
    item.insert(FINGERPRINT.into(), b(&once.fingerprint));
    item.insert(what.0.into(), s(what.1));
    item.extend([keys::ttl(now.plus_seconds(KEY_SECONDS))]);
    item
}

/// Refuses a request that is another one than that which the key stands for.
fn same_request(stored: &Item, once: &Once) -> Result<(), Error> {
    if bytes(stored, FINGERPRINT) == Some(&once.fingerprint) { Ok(()) } else { Err(Error::KeyReused) }
}

fn asked_for<I: FromStr>(stored: &Item, once: &Once) -> Result<I, Error> {
    same_request(stored, once)?;
    let id = text(stored, ID).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal("an idempotency record that does not read"))
}

/// What a key that is in use means for a request: its first answer again, or a refusal.
fn replay(once: &Once, stored: Option<&Item>) -> Result<Outcome, Error> {
    let stored = stored.ok_or_else(|| Error::internal("an idempotency record that cannot be seen"))?;
    same_request(stored, once)?;
    let answer = text(stored, ANSWER).and_then(|answer| serde_json::from_str(answer).ok());
    answer.map(Outcome::Replayed).ok_or_else(|| Error::internal("an idempotency record that does not read"))
}
