//! Rate limits: one request counter for each fixed window.

use crate::{
    engine::{
        item::{n, number},
        request::Written,
        table::Table,
    },
    keys,
};
use aws_sdk_dynamodb::types::ReturnValue;
use domain::{
    Error, Timestamp,
    limit::{Limit, LimitStatus},
};

/// The request counter. A repeated increment, after a lost response, can only make the limit stricter.
const USED: &str = "used";

impl Table {
    /// Counts one request against a limit. `value` is what the limit counts by, such as an address.
    pub async fn spend(
        &self,
        operation: &str,
        limit: Limit,
        value: &str,
        now: Timestamp,
    ) -> Result<LimitStatus, Error> {
        let start = limit.window_start(now);
        let key = keys::limit(operation, limit.name, value, start);
        let end = Timestamp::from_unix_milliseconds((start + limit.window_seconds.max(1)) * 1000);
        let update = self
            .client()
            .update_item()
            .set_key(Some(key.primary()))
            .update_expression("ADD #used :one SET #ttl = :ttl")
            .expression_attribute_names("#used", USED)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":ttl", keys::ttl(end).1)
            .return_values(ReturnValue::UpdatedNew);
        let Written::Done(updated) = self.update(update).await? else {
            return Err(Error::internal("an unconditional update failed its condition"));
        };
        let used = updated.as_ref().and_then(|item| number(item, USED));
        used.map(|used| limit.status(used, now))
            .ok_or_else(|| Error::internal("the updated rate limit has no count"))
    }
}
