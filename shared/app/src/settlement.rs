//! Settling orders: capturing the payment of a confirmed order, undoing an order that failed or was cancelled.
//!
//! The sequence of an undo is defined here only; the state machines and order-sweep both call it.

use crate::{
    client::{Client, Needs},
    context::Context,
    incidents::Incident,
    payments::PaymentProvider,
    sweep::Attempt,
    table::Table,
};
use ::payments::{Captured, Payments, Refunded, Voided};
use domain::{
    Error, Timestamp,
    attempt::NextAttempt,
    order::{OrderRequest, OrderStatus, PlacedOrder},
    payment::{PaymentId, RefundStatus},
    rejection::RejectionReason,
    saga::FailedStep,
};
use table::{Afterwards, Closed, Epoch, UnsettledOrder};

/// When the provider is asked again for a refund that it has refused.
const REFUSED_AGAIN_SECONDS: u64 = 24 * 60 * 60;

const SETTINGS: &[&str] = &["TABLE_NAME", "PAYMENTS_SECRET_ARN", "PAYMENTS_URL"];

/// Captures the payments of confirmed orders.
pub struct Capture {
    context: Context,
    table: Table,
    payments: PaymentProvider,
}

impl Capture {
    /// Captures the payment of a confirmed order, and settles the order. If the payment can no longer be captured, the
    /// order's payment has failed, and its stock is given back. Idempotent.
    pub async fn capture(
        &self,
        order: &OrderRequest,
        payment: &PaymentId,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Before the capture, so that a customer can review what was bought while the provider does not answer.
        self.table.record_purchases(order, now).await?;
        match self.payments.client().await?.capture(order.order_id, payment).await? {
            Captured::Done => self.table.settle_paid(order.order_id).await,
            Captured::Voided => self.give_back(order, now).await,
        }
    }

    /// A hold lapses after about a week, and it can be cancelled at the provider.
    async fn give_back(&self, order: &OrderRequest, now: Timestamp) -> Result<(), Error> {
        let reason = RejectionReason::payment_cancelled();
        // If the customer cancelled the order in the meantime, the cancellation gives everything back.
        if self.table.fail_payment(order, &reason).await? {
            self.context.report(Incident::PaymentFailed, order.order_id, &reason.to_string());
            self.table.revoke_purchases(order, now).await?;
            self.table.release_stock(order, Epoch::PLACEMENT, Afterwards::Settled, now).await?;
        }
        Ok(())
    }
}

impl Client for Capture {
    const NEEDS: Needs = Needs {
        settings: SETTINGS,
        operations: &["fail_payment", "record_purchases", "release_stock", "revoke_purchases", "settle_paid"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        let payments = PaymentProvider::new(context)?;
        Ok(Self { context: context.clone(), table: context.table()?, payments })
    }
}

/// Why an order is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A step failed; the order is rejected for this reason.
    Rejected(RejectionReason),
    /// The order has ended: its customer has cancelled it, or it was rejected before.
    Ended,
}

/// The result of an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// The order was confirmed before the undo began: nothing was undone, and its payment must be captured.
    Confirmed,
    /// The order holds neither stock nor money that it was to give back.
    Undone,
    /// The order holds no stock, and its refund is under way. The sweep asks for it until it is done.
    Refunding,
    /// The order holds no stock, and the provider refuses its refund. A person was told.
    RefundRefused,
}

/// Undoes orders.
pub struct Undo {
    context: Context,
    table: Table,
    payments: PaymentProvider,
}

impl Undo {
    /// Undoes the steps of an order in reverse: closes the order so that no late step takes anything, voids or refunds
    /// the payment, gives back the stock, and rejects the order or, after a cancellation, settles it. Idempotent. Without
    /// effect once the entry of this epoch is settled.
    pub async fn undo(
        &self,
        order: &OrderRequest,
        epoch: Epoch,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Undone, Error> {
        // A reservation takes all lines or none, so an order that is out of stock holds neither stock nor money.
        if let Cause::Rejected(reason @ RejectionReason::OutOfStock { .. }) = cause {
            self.table.reject_order(order, reason).await?;
            return Ok(Undone::Undone);
        }
        let (payment, noted) = match self.table.close_payment(order.order_id, epoch).await? {
            Closed::Confirmed => return Ok(Undone::Confirmed),
            Closed::Settled => return Ok(Undone::Undone),
            Closed::Payment(payment) => (payment, None),
            Closed::Refund(payment, status) => (Some(payment), Some(status)),
        };
        // An order that was never confirmed has no purchases, and one that says something of its refund has them revoked.
        if epoch == Epoch::CANCELLATION && noted.is_none() {
            self.table.revoke_purchases(order, now).await?;
        }
        let refund = match payment {
            None => Ok(Refunded::Done),
            Some(payment) => {
                let payments = self.payments.client().await?;
                match payments.void(order.order_id, &payment).await? {
                    Voided::Released => Ok(Refunded::Done),
                    Voided::Captured => payments.refund(order.order_id, &payment).await,
                }
            }
        };
        let status = match &refund {
            Ok(Refunded::Done) => None,
            Ok(Refunded::Pending) => Some(RefundStatus::Pending),
            Ok(Refunded::Refused(_)) => Some(RefundStatus::Failed),
            Err(_) => noted,
        };
        if let Ok(Refunded::Refused(why)) = &refund
            && noted != Some(RefundStatus::Failed)
        {
            self.context.report(Incident::RefundRefused, order.order_id, why);
        }
        if status != noted {
            self.table.note_refund(order, epoch, status).await?;
        }
        // The stock does not wait for a refund, which may be refused or take days.
        self.give_stock_back(order, epoch, cause, refund == Ok(Refunded::Done), now).await?;
        match refund? {
            Refunded::Done => Ok(Undone::Undone),
            Refunded::Pending => Ok(Undone::Refunding),
            Refunded::Refused(why) => {
                // The provider may send no event about a later refund, or send it before this entry is written.
                let again = now.plus_seconds(REFUSED_AGAIN_SECONDS);
                self.table.leave_to_a_person(order.order_id, epoch, &why, Some(again)).await?;
                Ok(Undone::RefundRefused)
            }
        }
    }

    /// Gives the stock back and ends the order; settles it unless it owes a refund.
    async fn give_stock_back(
        &self,
        order: &OrderRequest,
        epoch: Epoch,
        cause: &Cause,
        is_refunded: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        match cause {
            Cause::Ended => {
                let afterwards = if is_refunded { Afterwards::Settled } else { Afterwards::Unsettled };
                self.table.release_stock(order, epoch, afterwards, now).await
            }
            Cause::Rejected(reason) => {
                self.table.release_stock(order, epoch, Afterwards::Unsettled, now).await?;
                if is_refunded {
                    self.table.reject_order(order, reason).await
                } else {
                    self.table.reject_unsettled(order, reason).await
                }
            }
        }
    }
}

impl Client for Undo {
    const NEEDS: Needs = Needs {
        settings: SETTINGS,
        operations: &[
            "close_payment",
            "leave_to_a_person",
            "note_refund",
            "reject_order",
            "reject_unsettled",
            "release_stock",
            "revoke_purchases",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        let payments = PaymentProvider::new(context)?;
        Ok(Self { context: context.clone(), table: context.table()?, payments })
    }
}

/// Settles unsettled orders by their status, as their executions would have done.
pub struct Settlement {
    context: Context,
    table: Table,
    capture: Capture,
    undo: Undo,
}

impl Settlement {
    /// Settles an order. Idempotent.
    pub async fn settle(&self, placed: &PlacedOrder, epoch: Epoch, now: Timestamp) -> Result<Attempt, Error> {
        use OrderStatus::{Cancelled, Confirmed, PaymentFailed, Rejected};
        let request = placed.request();
        let cause = match (placed.order.status, &placed.payment) {
            // If the payment has failed, the capture finds that again and gives the stock back.
            (Confirmed | PaymentFailed, Some(payment)) => {
                self.capture.capture(&request, payment, now).await?;
                return Ok(Attempt::Settled);
            }
            (Cancelled | Rejected, _) => Cause::Ended,
            _ => Cause::Rejected(RejectionReason::Failed(FailedStep::new(
                "order-place".to_owned(),
                "States.Timeout",
            ))),
        };
        Ok(match self.undo.undo(&request, epoch, &cause, now).await? {
            Undone::Undone => Attempt::Settled,
            // It was confirmed a moment ago, or the provider is at work: the next sweep goes on.
            Undone::Confirmed | Undone::Refunding => Attempt::Left,
            Undone::RefundRefused => Attempt::GivenUp,
        })
    }

    /// Records that an attempt failed. After too many of them, the order is left to a person, who is told.
    pub async fn count_failure(
        &self,
        order: &UnsettledOrder,
        error: &Error,
        now: Timestamp,
    ) -> Result<Attempt, Error> {
        let cause = format!("{error:?}");
        match self.table.count_failed_attempt(order, &cause, now).await? {
            NextAttempt::After(_) => {
                self.context.warn(order.order_id, &cause);
                Ok(Attempt::Failed)
            }
            NextAttempt::Never => {
                self.context.report(Incident::OrderStuck, order.order_id, &cause);
                Ok(Attempt::GivenUp)
            }
        }
    }
}

impl Client for Settlement {
    const NEEDS: Needs = Needs {
        settings: SETTINGS,
        operations: &[
            "close_payment",
            "count_failed_attempt",
            "fail_payment",
            "leave_to_a_person",
            "note_refund",
            "record_purchases",
            "reject_order",
            "reject_unsettled",
            "release_stock",
            "revoke_purchases",
            "settle_paid",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        let (capture, undo) = (Capture::new(context)?, Undo::new(context)?);
        Ok(Self { context: context.clone(), table: context.table()?, capture, undo })
    }
}
