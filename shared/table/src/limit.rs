//! Rate limits: one request counter for each fixed window. The counter of a customer's orders also has the orders that are
//! not paid.

use crate::{
    engine::{
        item::{Item, n, number, s},
        request::Written,
        table::Table,
    },
    keys,
};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::{
    Error, Timestamp,
    id::{OrderId, UserId},
    limit::{Limit, LimitStatus},
};

/// The request counter. A repeated increment, after a lost response, can only make the limit stricter.
const USED: &str = "used";

/// The ids of the orders of the window that are not paid: their payment was declined, or is not decided.
const UNPAID: &str = "unpaid";

impl Table {
    /// Counts an order against two limits of its customer: orders, and orders that are not paid, in this order. Both have
    /// one window. An order that is over a limit is not counted. Idempotent for the orders that are not paid.
    pub async fn admit_order(
        &self,
        customer: UserId,
        order: OrderId,
        [orders, unpaid]: [Limit; 2],
    ) -> Result<[LimitStatus; 2], Error> {
        let (key, now) = (orders_of_window(customer, order, orders.window_seconds), order.made_at());
        let end = now.plus_seconds(orders.window_seconds);
        let update = self
            .client()
            .update_item()
            .set_key(Some(key.primary()))
            .update_expression("ADD #used :one, #unpaid :orders SET #ttl = :ttl")
            .condition_expression(
                "contains(#unpaid, :order) OR (attribute_not_exists(#used) OR #used < :most)
                    AND (attribute_not_exists(#unpaid) OR size(#unpaid) < :mostUnpaid)",
            )
            .expression_attribute_names("#used", USED)
            .expression_attribute_names("#unpaid", UNPAID)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":order", s(order.to_string()))
            .expression_attribute_values(":orders", AttributeValue::Ss(vec![order.to_string()]))
            .expression_attribute_values(":most", n(orders.quota))
            .expression_attribute_values(":mostUnpaid", n(unpaid.quota))
            .expression_attribute_values(":ttl", keys::ttl(end).1)
            .return_values(ReturnValue::AllNew);
        let (counted, more) = match self.update(update).await? {
            Written::Done(Some(updated)) => (updated, 0),
            // What it would be with this order.
            Written::Refused(Some(stored)) => (stored, 1),
            _ => return Err(Error::internal("the counter of orders was not returned")),
        };
        let used = number(&counted, USED).unwrap_or_default() + more;
        Ok([orders.status(used, now), unpaid.status(unpaid_in(&counted) + more, now)])
    }

    /// Counts an order no longer among those that are not paid: it is paid, or was rejected for another reason. Idempotent.
    pub async fn count_as_paid(
        &self,
        customer: UserId,
        order: OrderId,
        window_seconds: u64,
    ) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(orders_of_window(customer, order, window_seconds).primary()))
            .update_expression("DELETE #unpaid :orders")
            // An update of a counter that was deleted would create one that stays.
            .condition_expression("contains(#unpaid, :order)")
            .expression_attribute_names("#unpaid", UNPAID)
            .expression_attribute_values(":order", s(order.to_string()))
            .expression_attribute_values(":orders", AttributeValue::Ss(vec![order.to_string()]));
        self.update(update).await.map(drop)
    }

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

/// The counter of the window in which an order was placed.
fn orders_of_window(customer: UserId, order: OrderId, window_seconds: u64) -> keys::Key {
    let limit = Limit { name: "user", quota: 0, window_seconds };
    keys::limit("order", limit.name, &customer.to_string(), limit.window_start(order.made_at()))
}

/// The number of orders that are not paid.
fn unpaid_in(counter: &Item) -> u64 {
    counter.get(UNPAID).and_then(|orders| orders.as_ss().ok()).map_or(0, |orders| orders.len() as u64)
}
