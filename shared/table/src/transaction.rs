//! Transactions: several writes of which all or none are carried out.

use crate::{Table, failure::failure, item::Item};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, ReturnConsumedCapacity, TransactWriteItem},
};
use domain::Error;
use std::time::Duration;

/// How often a transaction that could not be carried out just then is tried in all.
const TRIES: u32 = 6;

/// Why a transaction is cancelled that may be carried out a moment later: another one is in its way, or one of its
/// items takes no more just now. The SDK does not try such a transaction again by itself.
const TRANSIENT: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// How a transaction ended.
pub(crate) enum Transacted {
    /// All writes were carried out.
    Done,
    /// None was: this one's condition failed; the item that stood in the way comes with it.
    Refused(usize, Option<Item>),
}

impl Table {
    /// Carries out all writes or none. The SDK's client token makes its own retries safe; a transaction that another
    /// one was in the way of, or that was throttled, is tried again after a moment, since then nothing was written.
    pub(crate) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Transacted, Error> {
        let refused = self.transact_all(writes).await?.into_iter().next();
        Ok(refused.map_or(Transacted::Done, |(index, item)| Transacted::Refused(index, item)))
    }

    /// The same; all writes whose condition failed, with what stood in their way. None when they were carried out.
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
        Err(Error::internal("a transaction that was never tried"))
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
