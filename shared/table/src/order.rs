//! Orders: from the moment they are placed, and what becomes of them.

use crate::{
    Table,
    idempotency::Recorded,
    item::{Item, from_item, n, s, text, to_item},
    keys::{self, ORDER_PREFIX, PK, SK},
    product::from_product_item,
    request::Written,
    settlement::{self, PAYMENT, unconfirmed},
    transaction::Transacted,
    update::Change as Write,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{OrderId, ProductId, UserId},
    idempotency::Once,
    order::{Change, Effect, Order, OrderRequest, Placed, Reason, Status},
    page::{Page, PageSize},
    payment::PaymentId,
    product::Product,
};
use std::collections::HashMap;

const OPERATION: &str = "order-place";

const STATUS: &str = "status";
const VERSION: &str = "version";
const REASON: &str = "reason";

/// The error of all who look for an order that is not there.
const NO_ORDER: Error = Error::NotFound { what: "order" };

/// How many queries a page of orders of one status takes at most, and how many orders each of them looks at.
const MOST_QUERIES: usize = 5;
const LOOKED_AT: usize = 100;

impl Table {
    /// Those of these products that can be seen, strongly consistent: what is ordered now is sold at the price of now.
    pub async fn products(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Product>, Error> {
        let keys = ids.iter().map(|id| keys::product(*id)).collect();
        let found = self.batch_get(keys, true).await?.into_iter().map(from_product_item);
        let found = found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
        Ok(found.map(|product| (product.product_id, product)).collect())
    }

    /// The order that an earlier request with the same key and body placed.
    pub async fn order_asked_before(
        &self,
        user: UserId,
        once: &Once,
        now: Timestamp,
    ) -> Result<Option<OrderId>, Error> {
        self.asked_before(user, OPERATION, once, now).await
    }

    /// Records an order under its key, unsettled.
    pub async fn record_order(&self, placed: &Placed, once: &Once) -> Result<Recorded<OrderId>, Error> {
        let Placed { order: Order { order_id, created_at, .. }, customer_id, .. } = placed;
        let mut item = to_item(placed)?;
        item.extend(keys::order(*customer_id, *order_id).primary());
        let entry = settlement::of_new_order(*order_id, *customer_id);
        let writes = vec![self.new_item(item)?, self.new_item(entry)?];
        self.record_asked(*customer_id, OPERATION, once, order_id, writes, *created_at).await
    }

    /// A customer's order, strongly consistent.
    pub async fn order(&self, customer: UserId, id: OrderId) -> Result<Placed, Error> {
        let item = self.get_item(keys::order(customer, id), true).await?;
        item.map(from_item).transpose()?.ok_or(NO_ORDER)
    }

    /// A customer's orders, newest first; of one status, if one is given. Then a page may be short, or even empty, and still not
    /// be the last: only so many orders are looked at for one page.
    pub async fn orders(
        &self,
        customer: UserId,
        status: Option<Status>,
        size: PageSize,
        after: Option<OrderId>,
    ) -> Result<Page<Order, OrderId>, Error> {
        let (mut found, mut after) = (Vec::new(), after);
        // One more than is shown tells whether there is a next page.
        let enough = size.get() + 1;
        for _ in 0..MOST_QUERIES {
            let (items, last) = self.orders_after(customer, status, enough, after).await?;
            found.extend(items);
            after = last;
            if found.len() >= enough || after.is_none() {
                break;
            }
        }
        let more = found.len() >= enough;
        found.truncate(size.get());
        let items = found.into_iter().map(from_item::<Order>).collect::<Result<Vec<_>, _>>()?;
        let next = if more { items.last().map(|order| order.order_id) } else { after };
        Ok(Page { items, next })
    }

    /// Some orders, and the last that was looked at if there may be more.
    async fn orders_after(
        &self,
        customer: UserId,
        status: Option<Status>,
        enough: usize,
        after: Option<OrderId>,
    ) -> Result<(Vec<Item>, Option<OrderId>), Error> {
        let looked_at = if status.is_some() { LOOKED_AT } else { enough };
        let query = self
            .client()
            .query()
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::user_partition(customer)))
            .expression_attribute_values(":prefix", s(ORDER_PREFIX))
            .scan_index_forward(false)
            .limit(i32::try_from(looked_at).unwrap_or(i32::MAX));
        let query = match after {
            None => query.key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)"),
            // BETWEEN takes both ends; the id before `after` is the highest that is wanted.
            Some(after) => query
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :prefix AND :before")
                .expression_attribute_values(":before", s(keys::order(customer, after.before()).sk)),
        };
        let query = match status {
            None => query,
            Some(status) => query
                .filter_expression("#status = :status")
                .expression_attribute_names("#status", STATUS)
                .expression_attribute_values(":status", s(status.to_string())),
        };
        let sent = self.query(query).await?;
        let last = sent.last_evaluated_key.as_ref().and_then(|key| keys::parse_order(text(key, SK)?));
        Ok((sent.items.unwrap_or_default(), last))
    }

    /// Confirms an order whose stock is reserved and whose payment is authorized, unless an undo has begun. A second time
    /// changes nothing.
    pub async fn confirm_order(&self, request: &OrderRequest, payment: &PaymentId) -> Result<(), Error> {
        let OrderRequest { order_id, customer_id, .. } = request;
        let order = with_values(Change::Confirm, vec![("payment", s(payment.as_str()))]);
        let order = self.changed_item(Write {
            key: keys::order(*customer_id, *order_id),
            update: "SET #status = :to, #version = #version + :one, #payment = :payment",
            condition: "#status = :from",
            names: &[STATUS, VERSION, PAYMENT],
            values: order,
        })?;
        let writes = vec![order, self.changed_item(unconfirmed(*order_id, payment))?];
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            // Only what was confirmed can have been cancelled since.
            Transacted::Refused(0, stored) if status_of(stored.as_ref()) == Some(Status::Cancelled) => Ok(()),
            Transacted::Refused(0, stored) => repeated(stored.as_ref(), Change::Confirm).map(|_| ()),
            Transacted::Refused(..) => Err(settlement::CLOSED_ALREADY),
        }
    }

    /// Rejects an order whose stock and money are where they were. One that has been decided otherwise stays so.
    pub async fn reject_order(&self, request: &OrderRequest, reason: &Reason) -> Result<(), Error> {
        let reason = serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(reason)
            .map_err(|error| Error::internal(format!("a reason does not serialize: {error}")))?;
        let write = self.changed(Write {
            key: keys::order(request.customer_id, request.order_id),
            update: "SET #status = :to, #version = #version + :one, #reason = :reason",
            condition: "#status = :from",
            names: &[STATUS, VERSION, REASON],
            values: with_values(Change::Reject, vec![("reason", reason)]),
        });
        match write.await? {
            Written::Done(_) | Written::Refused(_) => self.settle_rejected(request.order_id).await,
        }
    }

    /// Cancels a confirmed order; its stock and its money are unsettled from then on. The order as it is then; a second time
    /// changes nothing.
    pub async fn cancel_order(&self, placed: Placed) -> Result<Placed, Error> {
        let order = self.changed_item(Write {
            key: keys::order(placed.customer_id, placed.order.order_id),
            update: "SET #status = :to, #version = #version + :one",
            condition: "#status = :from",
            names: &[STATUS, VERSION],
            values: with_values(Change::Cancel, vec![]),
        })?;
        let entry = self.any_item(settlement::of_cancelled_order(&placed)?)?;
        match self.transact(vec![order, entry]).await? {
            Transacted::Done => {
                let version = placed.order.version + 1;
                let order = Order { status: Status::Cancelled, version, ..placed.order };
                Ok(Placed { order, ..placed })
            }
            Transacted::Refused(_, stored) => {
                repeated(stored.as_ref(), Change::Cancel)?;
                from_item(stored.ok_or(NO_ORDER)?)
            }
        }
    }
}

/// The values of a write that changes the status of an order, with more.
fn with_values(change: Change, mut more: Vec<(&str, AttributeValue)>) -> Vec<(&str, AttributeValue)> {
    let (from, to) = (change.from().to_string(), change.to().to_string());
    more.extend([("from", s(from)), ("to", s(to)), ("one", n(1))]);
    more
}

fn status_of(stored: Option<&Item>) -> Option<Status> {
    text(stored?, STATUS)?.parse().ok()
}

/// What it means that a change was refused: it has happened before, or it cannot happen.
fn repeated(stored: Option<&Item>, change: Change) -> Result<Effect, Error> {
    status_of(stored).ok_or(NO_ORDER)?.allows(change)
}
