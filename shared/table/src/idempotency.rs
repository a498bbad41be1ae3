//! Idempotency records: written in the same transaction as what they stand for.

use crate::{
    Table,
    item::{Item, b, bytes, n, s, text},
    keys::{self, PK},
    transaction::Transacted,
};
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::{
    Error, Timestamp,
    id::UserId,
    idempotency::{Answer, KEY_SECONDS, Once, Outcome},
};

const FINGERPRINT: &str = "fingerprint";
const ANSWER: &str = "answer";

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
        let mut item: Item = keys::idempotency(user, operation, once.key.as_str()).primary();
        let answer = serde_json::to_string(answer)
            .map_err(|error| Error::internal(format!("an answer does not serialize: {error}")))?;
        item.insert(FINGERPRINT.into(), b(&once.fingerprint));
        item.insert(ANSWER.into(), s(answer));
        item.extend([keys::ttl(now.plus_seconds(KEY_SECONDS))]);
        self.unexpired_item(item, now)
    }

    /// Writes an item where none stands that has not expired.
    pub(crate) fn unexpired_item(&self, item: Item, now: Timestamp) -> Result<TransactWriteItem, Error> {
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

/// What a key that is in use means for a request: its first answer again, or a refusal.
fn replay(once: &Once, stored: Option<&Item>) -> Result<Outcome, Error> {
    let stored = stored.ok_or_else(|| Error::internal("an idempotency record that cannot be seen"))?;
    if bytes(stored, FINGERPRINT) != Some(&once.fingerprint) {
        return Err(Error::KeyReused);
    }
    let answer = text(stored, ANSWER).and_then(|answer| serde_json::from_str(answer).ok());
    answer.map(Outcome::Replayed).ok_or_else(|| Error::internal("an idempotency record that does not read"))
}
