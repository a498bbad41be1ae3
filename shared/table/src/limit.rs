//! Rate limits: one counter for each window.

use crate::{
    Table,
    failure::failure,
    item::{n, number},
    keys,
};
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, ReturnValue};
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
        let sent = self
            .client()
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .update_expression("ADD #used :one SET #ttl = :ttl")
            .expression_attribute_names("#used", USED)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":ttl", keys::ttl(end).1)
            .return_values(ReturnValue::UpdatedNew)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failure("UpdateItem", &error))?;
        self.units.wrote(sent.consumed_capacity());
        let used = sent.attributes().and_then(|item| number(item, USED));
        used.map(|used| limit.standing(used, now)).ok_or_else(|| Error::internal("a limit without a count"))
    }
}
