//! Settling orders: capturing the payment of a confirmed order, undoing an order that failed or was cancelled.
//!
//! The sequence of an undo is defined here only; the state machines and order-sweep both call it.

use crate::{
    client::{Client, Needs},
    context::Context,
    payments::PaymentProvider,
    table::Table,
};
use ::payments::Payments;
use domain::{Error, Timestamp, id::OrderId, order::OrderRequest, payment::PaymentId, rejection::Reason};
use table::{Afterwards, Closed, Epoch};

const SETTINGS: &[&str] = &["TABLE_NAME", "PAYMENTS_SECRET_ARN", "PAYMENTS_URL"];

/// Captures the payments of confirmed orders.
pub struct Capture {
    table: Table,
    payments: PaymentProvider,
}

impl Capture {
    /// Captures the payment of a confirmed order, and settles the order.
    pub async fn capture(&self, order: OrderId, payment: &PaymentId) -> Result<(), Error> {
        // If the order was cancelled in the meantime, the cancellation voids the payment and settles the order.
        self.payments.client().await?.capture(order, payment).await?;
        self.table.settle_paid(order).await
    }
}

impl Client for Capture {
    const NEEDS: Needs = Needs { settings: SETTINGS, operations: &["settle_paid"] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, payments: PaymentProvider::new(context)? })
    }
}

/// Why an order is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A step failed; the order is rejected for this reason.
    Rejected(Reason),
    /// The customer has cancelled the order.
    Cancelled,
}

/// The result of an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// The order was confirmed before the undo began: nothing was undone, and its payment must be captured.
    Confirmed,
    /// The order holds neither stock nor money that it was to give back.
    Undone,
}

/// Undoes orders.
pub struct Undo {
    table: Table,
    payments: PaymentProvider,
}

impl Undo {
    /// Undoes the steps of an order in reverse: closes the order so that no late step takes anything, voids the
    /// payment, gives back the stock, and rejects the order or, after a cancellation, settles it. Idempotent. Without
    /// effect once the entry of this epoch is settled.
    pub async fn undo(
        &self,
        order: &OrderRequest,
        epoch: Epoch,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Undone, Error> {
        // A reservation takes all lines or none, so an order that is out of stock holds neither stock nor money.
        if let Cause::Rejected(reason @ Reason::OutOfStock { .. }) = cause {
            self.table.reject_order(order, reason).await?;
            return Ok(Undone::Undone);
        }
        match self.table.close_payment(order.order_id, epoch).await? {
            Closed::Confirmed => return Ok(Undone::Confirmed),
            Closed::Settled => return Ok(Undone::Undone),
            Closed::Payment(None) => {}
            Closed::Payment(Some(payment)) => {
                self.payments.client().await?.void(order.order_id, &payment).await?;
            }
        }
        match cause {
            Cause::Cancelled => self.table.release_stock(order, epoch, Afterwards::Settled, now).await?,
            Cause::Rejected(reason) => {
                self.table.release_stock(order, epoch, Afterwards::Unsettled, now).await?;
                self.table.reject_order(order, reason).await?;
            }
        }
        Ok(Undone::Undone)
    }
}

impl Client for Undo {
    const NEEDS: Needs =
        Needs { settings: SETTINGS, operations: &["close_payment", "reject_order", "release_stock"] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, payments: PaymentProvider::new(context)? })
    }
}
