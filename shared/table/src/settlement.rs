//! Unsettled orders: an entry for each order whose stock and money may not agree with its status.
//!
//! An order has one from the moment it is placed until its money is taken or all is given back, and again from its cancellation
//! until all is given back. Every step that touches stock or money goes through the entry: it says what was taken, and once
//! an undo has closed it, nothing more can be taken, however late a step's request arrives.

use crate::{
    Table,
    item::{Item, n, s, text},
    keys::{self, PK, SK},
    product::{HIDDEN, VERSION},
    request::Written,
    update::Change,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{Id, OrderId, UserId},
    order::{OrderRequest, Placed, Reason, Shortage},
    payment::PaymentId,
};
use futures::future::try_join_all;

const CUSTOMER: &str = "customerId";
/// There while the order holds stock.
const RESERVED: &str = "reserved";
/// The payment that was begun.
pub(crate) const PAYMENT: &str = "payment";
/// There from the order's confirmation until it is cancelled: meanwhile nothing is undone.
const CONFIRMED: &str = "confirmed";
/// There once an undo has begun: nothing is taken any more.
const CLOSED: &str = "closed";

const STOCK: &str = "stock";
const UPDATED_AT: &str = "updatedAt";

/// How many unsettled orders of one partition are told of at once.
const SOME: i32 = 50;

/// The error of steps that come after an undo.
pub(crate) const CLOSED_ALREADY: Error = Error::Conflict { detail: "The order is being undone." };

/// How a payment stands when an undo has closed the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// There is nothing to undo: the order was confirmed.
    Confirmed,
    /// This payment was begun, if any; no other will be.
    Payment(Option<PaymentId>),
}

/// What becomes of the entry when the stock has been given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It stays: there is more to do.
    Unsettled,
    /// It goes: nothing is left to do.
    Settled,
}

fn yes() -> AttributeValue {
    AttributeValue::Bool(true)
}

/// The entry of an order that was placed just now.
pub(crate) fn of_new_order(id: OrderId, customer: UserId) -> Item {
    let mut item: Item = keys::unsettled(id).primary();
    item.insert(CUSTOMER.into(), s(customer.to_string()));
    item
}

/// The entry of an order that is being cancelled: it holds stock and a payment, and takes nothing more.
pub(crate) fn of_cancelled_order(placed: &Placed) -> Result<Item, Error> {
    let payment =
        placed.payment.as_ref().ok_or_else(|| Error::internal("a confirmed order without a payment"))?;
    let mut item = of_new_order(placed.order.order_id, placed.customer_id);
    item.insert(PAYMENT.into(), s(payment.as_str()));
    item.extend([RESERVED, CLOSED].map(|name| (name.to_owned(), yes())));
    Ok(item)
}

/// Marks the entry of an order as confirmed, if it has all that takes and no undo has begun.
pub(crate) fn unconfirmed(id: OrderId, payment: &PaymentId) -> Change<'static> {
    Change {
        key: keys::unsettled(id),
        update: "SET #confirmed = :true",
        condition: "attribute_exists(#reserved) AND #payment = :payment AND attribute_not_exists(#closed)",
        names: &[CONFIRMED, RESERVED, PAYMENT, CLOSED],
        values: vec![("true", yes()), ("payment", s(payment.as_str()))],
    }
}

impl Table {
    /// Takes the stock of all lines, or of none. A second time takes nothing. What there is not enough of is told, line by line.
    pub async fn reserve_stock(&self, request: &OrderRequest, now: Timestamp) -> Result<(), Error> {
        let mut writes = vec![self.changed_item(Change {
            key: keys::unsettled(request.order_id),
            update: "SET #reserved = :true",
            condition: "attribute_exists(#pk) AND attribute_not_exists(#reserved) AND attribute_not_exists(#closed)",
            names: &[PK, RESERVED, CLOSED],
            values: vec![("true", yes())],
        })?];
        for line in &request.lines {
            writes.push(self.changed_item(Change {
                key: keys::product(line.product_id),
                update: "SET #stock = #stock - :quantity, #version = #version + :one, #updatedAt = :now",
                condition: "#stock >= :quantity AND attribute_not_exists(#hidden)",
                names: &[STOCK, VERSION, UPDATED_AT, HIDDEN],
                values: stock_values(line.quantity, now),
            })?);
        }
        let refused = self.transact_all(writes).await?;
        match refused.first() {
            None => Ok(()),
            Some((0, Some(entry))) if entry.contains_key(RESERVED) => Ok(()),
            Some((0, _)) => Err(CLOSED_ALREADY),
            Some(_) => {
                let short = |(index, product): (usize, Option<Item>)| {
                    let product_id = request.lines.get(index - 1)?.product_id;
                    Some(Shortage { product_id, available: available(product.as_ref()) })
                };
                let lines = refused.into_iter().filter_map(short).collect();
                Err(Error::Rejected(Reason::OutOfStock { lines }))
            }
        }
    }

    /// Gives back the stock that an order holds, once; from then on it can take none.
    pub async fn release_stock(
        &self,
        request: &OrderRequest,
        afterwards: Afterwards,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut lines = request.lines.clone();
        loop {
            let key = keys::unsettled(request.order_id);
            // What is confirmed is not released, whoever asks.
            let condition = "attribute_exists(#reserved) AND attribute_not_exists(#confirmed)";
            let mut writes = vec![match afterwards {
                Afterwards::Unsettled => self.changed_item(Change {
                    key,
                    update: "SET #closed = :true REMOVE #reserved",
                    condition,
                    names: &[CLOSED, RESERVED, CONFIRMED],
                    values: vec![("true", yes())],
                })?,
                Afterwards::Settled => self.absent_item_if(key, condition, &[RESERVED, CONFIRMED])?,
            }];
            for line in &lines {
                writes.push(self.changed_item(Change {
                    key: keys::product(line.product_id),
                    update: "SET #stock = #stock + :quantity, #version = #version + :one, #updatedAt = :now",
                    condition: "attribute_exists(#stock)",
                    names: &[STOCK, VERSION, UPDATED_AT],
                    values: stock_values(line.quantity, now),
                })?);
            }
            let refused = self.transact_all(writes).await?;
            match refused.first() {
                None => return Ok(()),
                Some((0, _)) => return self.close_unreserved(request.order_id, afterwards).await,
                // A product that is gone needs no stock.
                Some(_) => {
                    let gone: Vec<usize> = refused.into_iter().map(|(index, _)| index - 1).collect();
                    let mut index = 0..;
                    lines.retain(|_| index.next().is_none_or(|index| !gone.contains(&index)));
                }
            }
        }
    }

    /// Closes the entry of an order that holds no stock, or removes it.
    async fn close_unreserved(&self, id: OrderId, afterwards: Afterwards) -> Result<(), Error> {
        match afterwards {
            Afterwards::Unsettled => self.close_payment(id).await.map(|_| ()),
            Afterwards::Settled => self.settle(id, "attribute_not_exists(#reserved)", RESERVED).await,
        }
    }

    /// Makes the payment known that an order has begun, before anybody's money is touched, unless an undo has begun.
    pub async fn begin_payment(&self, id: OrderId, payment: &PaymentId) -> Result<(), Error> {
        let write = self.changed(Change {
            key: keys::unsettled(id),
            update: "SET #payment = :payment",
            condition: "attribute_exists(#reserved) AND attribute_not_exists(#closed)",
            names: &[PAYMENT, RESERVED, CLOSED],
            values: vec![("payment", s(payment.as_str()))],
        });
        match write.await? {
            Written::Done(_) => Ok(()),
            Written::Refused(_) => Err(CLOSED_ALREADY),
        }
    }

    /// Begins the undo of an order that was not confirmed: from then on it takes neither stock nor money. The payment that is
    /// to be given up.
    pub async fn close_payment(&self, id: OrderId) -> Result<Closed, Error> {
        let write = self.changed(Change {
            key: keys::unsettled(id),
            update: "SET #closed = :true",
            condition: "attribute_exists(#pk) AND attribute_not_exists(#confirmed)",
            names: &[CLOSED, PK, CONFIRMED],
            values: vec![("true", yes())],
        });
        match write.await? {
            Written::Done(entry) => {
                let payment = entry.as_ref().and_then(|entry| text(entry, PAYMENT));
                Ok(Closed::Payment(payment.map(PaymentId::new)))
            }
            Written::Refused(Some(_)) => Ok(Closed::Confirmed),
            Written::Refused(None) => Ok(Closed::Payment(None)),
        }
    }

    /// Notes that the money of a confirmed order has been taken, unless the order has been cancelled since.
    pub async fn settle_paid(&self, id: OrderId) -> Result<(), Error> {
        self.settle(id, "attribute_exists(#confirmed)", CONFIRMED).await
    }

    /// Notes that a rejected order holds nothing.
    pub(crate) async fn settle_rejected(&self, id: OrderId) -> Result<(), Error> {
        self.settle(id, "attribute_not_exists(#reserved)", RESERVED).await
    }

    /// Removes an entry under a condition on one attribute; what is gone stays so, and what does not fulfil it stays too.
    async fn settle(&self, id: OrderId, condition: &str, name: &str) -> Result<(), Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(keys::unsettled(id).primary()))
            .condition_expression(condition)
            .expression_attribute_names(format!("#{name}"), name);
        self.delete(delete).await.map(|_| ())
    }

    /// Some of the oldest orders that were placed before a moment and are unsettled, with their customers.
    pub async fn unsettled_orders(&self, before: Timestamp) -> Result<Vec<(OrderId, UserId)>, Error> {
        let found = try_join_all(keys::SHARDS.chars().map(|shard| self.unsettled_in(shard, before))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn unsettled_in(&self, shard: char, before: Timestamp) -> Result<Vec<(OrderId, UserId)>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk < :end")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::unsettled_partition(shard)))
            // Ids sort by time.
            .expression_attribute_values(":end", s(OrderId::new(before, [0; 10]).to_string()))
            .limit(SOME);
        let items = self.query(query).await?.items.unwrap_or_default();
        let read = |item: &Item| Some((text(item, SK)?.parse().ok()?, text(item, CUSTOMER)?.parse().ok()?));
        Ok(items.iter().filter_map(read).collect())
    }
}

fn stock_values(quantity: i64, now: Timestamp) -> Vec<(&'static str, AttributeValue)> {
    vec![("quantity", AttributeValue::N(quantity.to_string())), ("one", n(1)), ("now", s(now.to_string()))]
}

/// How many there are of a product that there is not enough of; none of one that is gone or hidden.
fn available(product: Option<&Item>) -> i64 {
    let product = product.filter(|product| !product.contains_key(HIDDEN));
    let stock = product.and_then(|product| product.get(STOCK)?.as_n().ok()?.parse().ok());
    stock.unwrap_or_default()
}
