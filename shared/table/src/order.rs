//! Orders: recording, reading, listing and changing their status.

use crate::{
    engine::{
        item::{Item, from_item, n, s, text, to_item},
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    idempotency::Recorded,
    keys::{self, ORDER_PREFIX, PK, SK},
    product_item::from_product_item,
    settlement::{self, Epoch, PAYMENT, unconfirmed},
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{OrderId, ProductId, UserId},
    idempotency::Idempotency,
    order::{Effect, Order, OrderRequest, OrderStatus, PlacedOrder, Transition},
    page::{Page, PageSize},
    payment::PaymentId,
    product::Product,
    rejection::RejectionReason,
};
use std::collections::HashMap;

const OPERATION: &str = "order-place";

const STATUS: &str = "status";
pub(crate) const VERSION: &str = "version";
const REASON: &str = "reason";

/// The error when an order does not exist.
const NO_ORDER: Error = Error::NotFound { what: "order" };

/// The maximum number of Queries for a page of orders of one status, and how many orders each of them reads.
const MOST_QUERIES: usize = 5;
const FILTERED_QUERY_LIMIT: usize = 100;

impl Table {
    /// The visible products among these, strongly consistent: an order uses the current price.
    pub async fn products(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Product>, Error> {
        let keys = ids.iter().map(|id| keys::product(*id)).collect();
        let found = self.batch_get(keys, true).await?.into_iter().map(from_product_item);
        let found = found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
        Ok(found.map(|product| (product.product_id, product)).collect())
    }

    /// The order that an earlier request with the same key and body placed.
    pub async fn order_recorded_before(
        &self,
        user: UserId,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<OrderId>, Error> {
        self.recorded_under_key(user, OPERATION, idempotency, now).await
    }

    /// Records an order under its idempotency key, with the entry of an unsettled order.
    pub async fn record_order(
        &self,
        placed: &PlacedOrder,
        idempotency: &Idempotency,
    ) -> Result<Recorded<OrderId>, Error> {
        let PlacedOrder { order: Order { order_id, created_at, .. }, customer_id, .. } = placed;
        let mut item = to_item(placed)?;
        item.extend(keys::order(*customer_id, *order_id).primary());
        let entry = settlement::of_new_order(*order_id, *customer_id);
        let writes = vec![self.put_if_absent(item)?, self.put_if_absent(entry)?];
        self.record_under_key(*customer_id, OPERATION, idempotency, order_id, writes, *created_at).await
    }

    /// A customer's order, strongly consistent.
    pub async fn order(&self, customer: UserId, id: OrderId) -> Result<PlacedOrder, Error> {
        let item = self.get_item(keys::order(customer, id), true).await?;
        item.map(from_item).transpose()?.ok_or(NO_ORDER)
    }

    /// A customer's orders, newest first, optionally of one status. A page that is filtered by status may be short or
    /// empty and still have a next page, because the number of orders read for one page is bounded.
    pub async fn orders(
        &self,
        customer: UserId,
        status: Option<OrderStatus>,
        size: PageSize,
        after: Option<OrderId>,
    ) -> Result<Page<Order, OrderId>, Error> {
        let (mut found, mut after) = (Vec::new(), after);
        // One item more than the page shows whether there is a next page.
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

    /// The orders of one Query, and the last order that it read if there may be more.
    async fn orders_after(
        &self,
        customer: UserId,
        status: Option<OrderStatus>,
        enough: usize,
        after: Option<OrderId>,
    ) -> Result<(Vec<Item>, Option<OrderId>), Error> {
        let limit = if status.is_some() { FILTERED_QUERY_LIMIT } else { enough };
        let query = self
            .client()
            .query()
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::user_partition(customer)))
            .expression_attribute_values(":prefix", s(ORDER_PREFIX))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let query = match after {
            None => query.key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)"),
            // BETWEEN includes both bounds, so the upper bound is the id before `after`.
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

    /// Confirms an order whose stock is reserved and whose payment is authorized, unless an undo has begun. Idempotent.
    pub async fn confirm_order(&self, request: &OrderRequest, payment: &PaymentId) -> Result<(), Error> {
        let OrderRequest { order_id, customer_id, .. } = request;
        let order = with_values(Transition::Confirm, vec![("payment", s(payment.as_str()))]);
        let order = self.update_if(ItemUpdate {
            key: keys::order(*customer_id, *order_id),
            update: "SET #status = :to, #version = #version + :one, #payment = :payment",
            condition: "#status = :from",
            names: &[STATUS, VERSION, PAYMENT],
            values: order,
        })?;
        let writes = vec![order, self.update_if(unconfirmed(*order_id, payment))?];
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            // Only a confirmed order can be cancelled, so this order was confirmed earlier.
            Transacted::Refused(0, stored) if status_of(stored.as_ref()) == Some(OrderStatus::Cancelled) => {
                Ok(())
            }
            Transacted::Refused(0, stored) => repeated(stored.as_ref(), Transition::Confirm).map(|_| ()),
            Transacted::Refused(..) => Err(settlement::CLOSED_ALREADY),
        }
    }

    /// Rejects a pending order that holds neither stock nor money, and settles it. An order with another status is left
    /// unchanged.
    pub async fn reject_order(&self, request: &OrderRequest, reason: &RejectionReason) -> Result<(), Error> {
        self.reject_unsettled(request, reason).await?;
        self.settle_undone(request.order_id, Epoch::PLACEMENT).await
    }

    /// Rejects a pending order whose money is not refunded yet. An order with another status is left unchanged.
    pub async fn reject_unsettled(
        &self,
        request: &OrderRequest,
        reason: &RejectionReason,
    ) -> Result<(), Error> {
        let write = self.send_update(ItemUpdate {
            key: keys::order(request.customer_id, request.order_id),
            update: "SET #status = :to, #version = #version + :one, #reason = :reason",
            condition: "#status = :from",
            names: &[STATUS, VERSION, REASON],
            values: with_values(Transition::Reject, vec![("reason", reason_value(reason)?)]),
        });
        write.await.map(drop)
    }

    /// Records that the payment of a confirmed order was cancelled before it was captured, and begins the undo of the
    /// order. Returns whether the payment failed: false if the customer cancelled the order first. Idempotent.
    pub async fn fail_payment(
        &self,
        request: &OrderRequest,
        reason: &RejectionReason,
    ) -> Result<bool, Error> {
        let order = self.update_if(ItemUpdate {
            key: keys::order(request.customer_id, request.order_id),
            update: "SET #status = :to, #version = #version + :one, #reason = :reason",
            condition: "#status = :from",
            names: &[STATUS, VERSION, REASON],
            values: with_values(Transition::FailPayment, vec![("reason", reason_value(reason)?)]),
        })?;
        let entry = self.update_if(settlement::unpaid(request.order_id))?;
        match self.transact(vec![order, entry]).await? {
            Transacted::Done => Ok(true),
            Transacted::Refused(0, stored) if status_of(stored.as_ref()) == Some(OrderStatus::Cancelled) => {
                Ok(false)
            }
            Transacted::Refused(0, stored) => {
                repeated(stored.as_ref(), Transition::FailPayment).map(|_| true)
            }
            Transacted::Refused(..) => {
                Err(Error::internal("a payment was cancelled after its order was settled"))
            }
        }
    }

    /// Cancels a confirmed order and makes it unsettled, so that its stock and money are given back. Returns the
    /// cancelled order. Idempotent.
    pub async fn cancel_order(&self, placed: PlacedOrder) -> Result<PlacedOrder, Error> {
        let order = self.update_if(ItemUpdate {
            key: keys::order(placed.customer_id, placed.order.order_id),
            update: "SET #status = :to, #version = #version + :one",
            condition: "#status = :from",
            names: &[STATUS, VERSION],
            values: with_values(Transition::Cancel, vec![]),
        })?;
        let entry = self.put_always(settlement::of_cancelled_order(&placed)?)?;
        match self.transact(vec![order, entry]).await? {
            Transacted::Done => {
                let version = placed.order.version + 1;
                let order = Order { status: OrderStatus::Cancelled, version, ..placed.order };
                Ok(PlacedOrder { order, ..placed })
            }
            Transacted::Refused(_, stored) => {
                repeated(stored.as_ref(), Transition::Cancel)?;
                from_item(stored.ok_or(NO_ORDER)?)
            }
        }
    }
}

/// The expression values of a status change, and the given additional values.
fn with_values(change: Transition, mut more: Vec<(&str, AttributeValue)>) -> Vec<(&str, AttributeValue)> {
    let (from, to) = (change.from().to_string(), change.to().to_string());
    more.extend([("from", s(from)), ("to", s(to)), ("one", n(1))]);
    more
}

fn reason_value(reason: &RejectionReason) -> Result<AttributeValue, Error> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(reason)
        .map_err(|error| Error::internal(format!("a reason cannot be serialized: {error}")))
}

fn status_of(stored: Option<&Item>) -> Option<OrderStatus> {
    text(stored?, STATUS)?.parse().ok()
}

/// Interprets a failed condition: the transition was made before, or the order's status does not allow it.
fn repeated(stored: Option<&Item>, change: Transition) -> Result<Effect, Error> {
    status_of(stored).ok_or(NO_ORDER)?.allows(change)
}
