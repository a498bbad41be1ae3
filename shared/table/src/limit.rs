//! Rate limits: one counter for each window.

use crate::{
    Table,
    item::{n, number},
    keys,
    request::Written,
};
use aws_sdk_dynamodb::types::ReturnValue;
use domain::{
    Error, Timestamp,
    limit::{Limit, Standing},
};

/// The attribute that counts. A count that is sent again after its answer was lost only makes the limit tighter.
const USED: &str = "used";

impl Table {
    /// Counts one request against a limit. `value` is what the limit counts by, such as an address.
    pub async fn spend(
        &self,
        operation: &str,
        limit: Limit,
        value: &str,
        now: Timestamp,
    ) -> Result<Standing, Error> {
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
            return Err(Error::internal("a count without a condition was refused"));
        };
        let used = updated.as_ref().and_then(|item| number(item, USED));
        used.map(|used| limit.standing(used, now)).ok_or_else(|| Error::internal("a limit without a count"))
    }
}
