//! Transactions: several writes of which all or none are carried out.

use crate::engine::{failure::failure, item::Item, table::Table};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, ReturnConsumedCapacity, TransactWriteItem},
};
use domain::Error;
use std::time::Duration;

/// The maximum number of attempts when a transaction is cancelled for a transient reason.
pub(crate) const TRIES: u32 = 6;

/// Cancellation reasons that are transient: a conflict with another transaction, or throttling. The SDK does not retry
/// these by itself.
const TRANSIENT: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// The result of a transaction.
pub(crate) enum Transacted {
    /// All writes were carried out.
    Done,
    /// No write was carried out: the index of the first write whose condition failed, and its stored item if any.
    Refused(usize, Option<Item>),
}

impl Table {
    /// Carries out all writes or none. The SDK's client token makes its own retries safe. A transaction that is
    /// cancelled by a conflict or by throttling has written nothing, and is retried with back-off.
    pub(crate) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Transacted, Error> {
        let refused = self.transact_all(writes).await?.into_iter().next();
        Ok(refused.map_or(Transacted::Done, |(index, item)| Transacted::Refused(index, item)))
    }

    /// As [`Table::transact`], with all writes whose condition failed and their stored items. Empty on success.
    pub(crate) async fn transact_all(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Vec<(usize, Option<Item>)>, Error> {
        for attempt in 1.. {
            let sent = self
                .client()
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            let error = match sent {
                Ok(done) => {
                    self.units.wrote(done.consumed_capacity());
                    return Ok(Vec::new());
                }
                Err(error) => error,
            };
            let Some(reasons) = reasons(&error) else { return Err(failure("TransactWriteItems", &error)) };
            let refused: Vec<_> = refused(reasons).collect();
            if !refused.is_empty() {
                return Ok(refused);
            }
            let codes: Vec<&str> = reasons.iter().filter_map(CancellationReason::code).collect();
            if !codes.iter().any(|code| TRANSIENT.contains(code)) {
                return Err(Error::internal(format!("TransactWriteItems: {codes:?}")));
            }
            if attempt == TRIES {
                return Err(Error::unavailable(format!("TransactWriteItems: {codes:?}")));
            }
            tokio::time::sleep(pause(attempt)?).await;
        }
        Err(Error::internal("TransactWriteItems: no attempt was made"))
    }
}

fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<&[CancellationReason]> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            Some(cancelled.cancellation_reasons())
        }
        _ => None,
    }
}

fn refused(reasons: &[CancellationReason]) -> impl Iterator<Item = (usize, Option<Item>)> {
    let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let reasons = reasons.iter().enumerate().filter(move |(_, reason)| failed(reason));
    reasons.map(|(index, reason)| (index, reason.item().cloned()))
}

/// Exponential back-off with full jitter
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), from 10 ms up.
pub(crate) fn pause(attempt: u32) -> Result<Duration, Error> {
    let random = getrandom::u32().map_err(|error| Error::internal(format!("no randomness: {error}")))?;
    let longest_ms = 10_u32 << attempt.min(6);
    Ok(Duration::from_millis((random % longest_ms).into()))
}
