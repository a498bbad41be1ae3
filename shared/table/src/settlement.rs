//! Unsettled orders: an entry for each order whose stock and money may not agree with its status.
//!
//! An order has an entry from its placement until its payment is captured or everything is given back, and again from
//! its cancellation until everything is given back. Every step that changes stock or money updates the entry, which
//! records what was taken. Once an undo has closed it, no step can take anything, however late its request arrives.
//! Each entry of an order has its own [`Epoch`], so that an undo has no effect on any entry but the one that it was
//! begun for.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        request::Written,
        table::Table,
        update::ItemUpdate,
    },
    keys::{self, PK},
    stock,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{OrderId, UserId},
    order::{OrderRequest, PlacedOrder},
    payment::{PaymentId, RefundStatus},
    rejection::{RejectionReason, Shortage},
};

pub(crate) const CUSTOMER: &str = "customerId";
/// Present while the order holds stock.
const RESERVED: &str = "reserved";
/// The id of the payment that was begun.
pub(crate) const PAYMENT: &str = "payment";
/// Present from the order's confirmation until its cancellation: a confirmed order is not undone.
pub(crate) const CONFIRMED: &str = "confirmed";
/// Present once an undo has begun: no step can take stock or money any more.
pub(crate) const CLOSED: &str = "closed";
pub(crate) const EPOCH: &str = "epoch";
/// What the order says of its refund. An entry that has it is not deleted.
pub(crate) const REFUND: &str = "refund";

/// The error of steps that run after an undo has begun.
pub(crate) const CLOSED_ALREADY: Error = Error::Conflict { detail: "The order is being undone." };

/// Which of an order's successive entries an undo was begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

impl Epoch {
    /// The entry that an order has from its placement on.
    pub const PLACEMENT: Self = Self(0);
    /// The entry that an order has from its cancellation on.
    pub const CANCELLATION: Self = Self(1);

    /// The entry that an order has from the failure of this number of refunds on, if one of them was done before.
    pub fn after_failed_refunds(number: usize) -> Self {
        Self(u64::try_from(number).unwrap_or(u64::MAX).saturating_add(Self::CANCELLATION.0))
    }

    pub(crate) fn value(self) -> AttributeValue {
        n(self.0)
    }

    pub(crate) fn of(entry: &Item) -> Option<Self> {
        number(entry, EPOCH).map(Self)
    }
}

/// The result of closing an order for an undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The order is confirmed and must not be undone.
    Confirmed,
    /// The entry that the undo was begun for is gone: the order was settled, and there is nothing to undo.
    Settled,
    /// The payment that was begun, if any; no other can begin.
    Payment(Option<PaymentId>),
    /// The payment whose refund is not done, as the order says.
    Refund(PaymentId, RefundStatus),
}

/// Whether the entry is kept when the stock has been given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// The entry is kept: the undo has more steps.
    Unsettled,
    /// The entry is deleted: the undo is complete.
    Settled,
}

fn yes() -> AttributeValue {
    AttributeValue::Bool(true)
}

/// The entry of a new order.
pub(crate) fn of_new_order(id: OrderId, customer: UserId) -> Item {
    entry(id, customer, Epoch::PLACEMENT)
}

fn entry(id: OrderId, customer: UserId, epoch: Epoch) -> Item {
    let mut item: Item = keys::unsettled(id).primary();
    item.insert(CUSTOMER.into(), s(customer.to_string()));
    item.insert(EPOCH.into(), epoch.value());
    item
}

/// The entry of an order that is being cancelled: it holds stock and a payment, and is closed.
pub(crate) fn of_cancelled_order(placed: &PlacedOrder) -> Result<Item, Error> {
    let payment =
        placed.payment.as_ref().ok_or_else(|| Error::internal("a confirmed order without a payment"))?;
    let mut item = entry(placed.order.order_id, placed.customer_id, Epoch::CANCELLATION);
    item.insert(PAYMENT.into(), s(payment.as_str()));
    item.extend([RESERVED, CLOSED].map(|name| (name.to_owned(), yes())));
    Ok(item)
}

/// The update that marks the entry as confirmed, if stock is reserved, the payment has begun, and it is not closed.
pub(crate) fn unconfirmed(id: OrderId, payment: &PaymentId) -> ItemUpdate<'static> {
    ItemUpdate {
        key: keys::unsettled(id),
        update: "SET #confirmed = :true",
        condition: "attribute_exists(#reserved) AND #payment = :payment AND attribute_not_exists(#closed)",
        names: &[CONFIRMED, RESERVED, PAYMENT, CLOSED],
        values: vec![("true", yes()), ("payment", s(payment.as_str()))],
    }
}

/// The update that begins the undo of a confirmed order whose payment was not captured.
pub(crate) fn unpaid(id: OrderId) -> ItemUpdate<'static> {
    ItemUpdate {
        key: keys::unsettled(id),
        update: "SET #closed = :true REMOVE #confirmed",
        condition: "attribute_exists(#confirmed) AND #epoch = :epoch",
        names: &[CLOSED, CONFIRMED, EPOCH],
        values: vec![("true", yes()), ("epoch", Epoch::PLACEMENT.value())],
    }
}

impl Table {
    /// Reserves the stock of all lines or of none. Idempotent. `OutOfStock` names each line that has too little stock.
    pub async fn reserve_stock(&self, request: &OrderRequest, now: Timestamp) -> Result<(), Error> {
        let mut writes = vec![self.update_if(ItemUpdate {
            key: keys::unsettled(request.order_id),
            update: "SET #reserved = :true",
            condition: "attribute_exists(#pk) AND attribute_not_exists(#reserved) AND attribute_not_exists(#closed)",
            names: &[PK, RESERVED, CLOSED],
            values: vec![("true", yes())],
        })?];
        for line in &request.lines {
            writes.push(self.update_if(stock::taken(line, now))?);
        }
        let refused = self.transact_all(writes).await?;
        match refused.first() {
            None => Ok(()),
            Some((0, Some(entry))) if entry.contains_key(RESERVED) => Ok(()),
            Some((0, _)) => Err(CLOSED_ALREADY),
            Some(_) => {
                let short = |(index, stored): (usize, Option<Item>)| {
                    let product_id = request.lines.get(index - 1)?.product_id;
                    Some(Shortage { product_id, available: stock::available(stored.as_ref()) })
                };
                let lines = refused.into_iter().filter_map(short).collect();
                Err(Error::Rejected(RejectionReason::OutOfStock { lines }))
            }
        }
    }

    /// Gives back the stock that an order holds, once, and closes or deletes the entry, so that it can reserve no more.
    pub async fn release_stock(
        &self,
        request: &OrderRequest,
        epoch: Epoch,
        afterwards: Afterwards,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut lines = request.lines.clone();
        loop {
            let key = keys::unsettled(request.order_id);
            // The stock of a confirmed order is never released.
            let condition =
                "attribute_exists(#reserved) AND attribute_not_exists(#confirmed) AND #epoch = :epoch";
            let settles =
                "attribute_exists(#reserved) AND attribute_not_exists(#confirmed) AND #epoch = :epoch
                AND attribute_not_exists(#refund)";
            let mut writes = vec![match afterwards {
                Afterwards::Unsettled => self.update_if(ItemUpdate {
                    key,
                    update: "SET #closed = :true REMOVE #reserved",
                    condition,
                    names: &[CLOSED, RESERVED, CONFIRMED, EPOCH],
                    values: vec![("true", yes()), ("epoch", epoch.value())],
                })?,
                Afterwards::Settled => {
                    let values = vec![("epoch", epoch.value())];
                    self.delete_if(key, settles, &[RESERVED, CONFIRMED, EPOCH, REFUND], values)?
                }
            }];
            for line in &lines {
                writes.push(self.update_if(stock::given_back(line, now))?);
            }
            let refused = self.transact_all(writes).await?;
            match refused.first() {
                None => return Ok(()),
                Some((0, _)) => return self.close_unreserved(request.order_id, epoch, afterwards).await,
                // A deleted product cannot take its stock back: its lines are dropped.
                Some(_) => {
                    let gone: Vec<usize> = refused.into_iter().map(|(index, _)| index - 1).collect();
                    let mut index = 0..;
                    lines.retain(|_| index.next().is_none_or(|index| !gone.contains(&index)));
                }
            }
        }
    }

    /// Closes or deletes the entry of an order that holds no stock.
    async fn close_unreserved(&self, id: OrderId, epoch: Epoch, afterwards: Afterwards) -> Result<(), Error> {
        match afterwards {
            Afterwards::Unsettled => self.close_payment(id, epoch).await.map(|_| ()),
            Afterwards::Settled => self.settle_undone(id, epoch).await,
        }
    }

    /// Records the payment of an order before it is authorized, unless an undo has begun.
    pub async fn begin_payment(&self, id: OrderId, payment: &PaymentId) -> Result<(), Error> {
        let write = self.send_update(ItemUpdate {
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

    /// Begins the undo of an order that is not confirmed: it can no longer take stock or money. Returns the payment to
    /// void.
    pub async fn close_payment(&self, id: OrderId, epoch: Epoch) -> Result<Closed, Error> {
        let write = self.send_update(ItemUpdate {
            key: keys::unsettled(id),
            update: "SET #closed = :true",
            condition: "#epoch = :epoch AND attribute_not_exists(#confirmed)",
            names: &[CLOSED, EPOCH, CONFIRMED],
            values: vec![("true", yes()), ("epoch", epoch.value())],
        });
        match write.await? {
            Written::Done(entry) => {
                let entry = entry.unwrap_or_default();
                let payment = text(&entry, PAYMENT).map(PaymentId::new);
                let refund = text(&entry, REFUND).and_then(RefundStatus::of);
                Ok(match (payment, refund) {
                    (Some(payment), Some(refund)) => Closed::Refund(payment, refund),
                    (payment, _) => Closed::Payment(payment),
                })
            }
            Written::Refused(Some(entry)) if entry.contains_key(CONFIRMED) => Ok(Closed::Confirmed),
            Written::Refused(_) => Ok(Closed::Settled),
        }
    }

    /// Settles a confirmed order whose payment was captured, unless the order has been cancelled in the meantime.
    pub async fn settle_paid(&self, id: OrderId) -> Result<(), Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(keys::unsettled(id).primary()))
            .condition_expression("attribute_exists(#confirmed)")
            .expression_attribute_names("#confirmed", CONFIRMED);
        self.delete(delete).await.map(|_| ())
    }

    /// Settles an order that was undone and holds no stock. A missing entry is no error.
    pub(crate) async fn settle_undone(&self, id: OrderId, epoch: Epoch) -> Result<(), Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(keys::unsettled(id).primary()))
            .condition_expression(
                "attribute_not_exists(#reserved) AND attribute_not_exists(#refund) AND #epoch = :epoch",
            )
            .expression_attribute_names("#refund", REFUND)
            .expression_attribute_names("#reserved", RESERVED)
            .expression_attribute_names("#epoch", EPOCH)
            .expression_attribute_values(":epoch", epoch.value());
        self.delete(delete).await.map(|_| ())
    }
}
