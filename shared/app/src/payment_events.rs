//! Processes an event of the payment provider: it changes the event's order. payment-webhook and payment-poll use it.

use crate::{
    client::{Client, Needs},
    context::Context,
    incidents::Incident,
    payments::PaymentProvider,
    table::Table,
};
use ::payments::{Payments, WebhookEvent};
use domain::{
    Error,
    order::OrderStatus,
    payment::{DisputeStatus, PaymentId},
};

/// Processes events of the payment provider.
pub struct PaymentEvents {
    context: Context,
    table: Table,
    payments: PaymentProvider,
}

impl PaymentEvents {
    /// Processes an event, unless it was processed before or changes nothing. Returns whether it did.
    pub async fn process(&self, event: &WebhookEvent) -> Result<bool, Error> {
        let Some(payment) = &event.payment else { return Ok(false) };
        let now = self.context.now();
        if self.table.is_processed(&event.id, now).await? {
            return Ok(false);
        }
        self.reconcile(payment).await?;
        // If the function ends before this, the event comes again, which repeats the work.
        self.table.record_processed(&event.id, now).await?;
        Ok(true)
    }

    /// Makes the order say what the provider knows by now. Events come late, twice and in any order, so the event itself
    /// only says which payment to ask for.
    async fn reconcile(&self, payment: &PaymentId) -> Result<(), Error> {
        let payments = self.payments.client().await?;
        // Other software may use the same account: its payments have no order of ours.
        let Some((customer, order)) = payments.order_of(payment).await? else { return Ok(()) };
        let placed = match self.table.order(customer, order).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            placed => placed?,
        };
        let aftermath = payments.aftermath(payment).await?;
        if let Some(dispute) = aftermath.dispute
            && placed.order.dispute != Some(dispute)
        {
            if dispute != DisputeStatus::Declined {
                let cause = format!("The dispute of {payment} is {dispute}.");
                self.context.report(Incident::PaymentDisputed, order, &cause);
            }
            self.table.note_dispute(&placed, dispute).await?;
        }
        match placed.order.status {
            OrderStatus::Cancelled | OrderStatus::Rejected if aftermath.failed_refunds > 0 => {
                self.table.owe_refund(&placed, payment, aftermath.failed_refunds).await
            }
            // The next sweep settles the order, if it is unsettled, and does not wait for its next attempt.
            _ => self.table.retry_unsettled(order).await.map(drop),
        }
    }
}

impl Client for PaymentEvents {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "PAYMENTS_SECRET_ARN", "PAYMENTS_URL"],
        operations: &[
            "is_processed",
            "note_dispute",
            "order",
            "owe_refund",
            "record_processed",
            "retry_unsettled",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        let payments = PaymentProvider::new(context)?;
        Ok(Self { context: context.clone(), table: context.table()?, payments })
    }
}
