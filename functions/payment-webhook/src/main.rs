//! `POST /payments/webhook`: takes the events of the payment provider, which proves by its signature that it sends them.

use app::{
    incidents::Incident,
    payments::{PaymentProvider, PaymentWebhook},
    table::Table,
};
use domain::{
    Error,
    order::OrderStatus,
    payment::{DisputeStatus, PaymentId},
};
use payments::{Payments, SIGNATURE};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, webhook: PaymentWebhook, payments: PaymentProvider }

fn main() -> runtime::Exit {
    runtime::serve(take_event)
}

/// Takes an event. An event that changes nothing is answered as any other, so that the provider does not repeat it.
pub async fn take_event(app: &App, request: Request) -> Result<Response, Problem> {
    let signature = request.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let event = app.webhook.event(signature, &request.body, app.now()).await?;
    if let Some(payment) = event.payment
        && !app.table.is_processed(&event.id, app.now()).await?
    {
        reconcile(app, &payment).await?;
        // If the function ends before this, the provider sends the event again, which repeats the work.
        app.table.record_processed(&event.id, app.now()).await?;
    }
    Ok(respond::no_content())
}

/// Makes the order say what the provider knows by now. Events come late, twice and in any order, so the event itself
/// only says which payment to ask for.
async fn reconcile(app: &App, payment: &PaymentId) -> Result<(), Error> {
    let payments = app.payments.client().await?;
    // Other software may use the same account: its payments have no order of ours.
    let Some((customer, order)) = payments.order_of(payment).await? else { return Ok(()) };
    let placed = match app.table.order(customer, order).await {
        Err(Error::NotFound { .. }) => return Ok(()),
        placed => placed?,
    };
    let aftermath = payments.aftermath(payment).await?;
    if let Some(dispute) = aftermath.dispute
        && placed.order.dispute != Some(dispute)
    {
        if dispute != DisputeStatus::Declined {
            app.report(Incident::PaymentDisputed, order, &format!("The dispute of {payment} is {dispute}."));
        }
        app.table.note_dispute(&placed, dispute).await?;
    }
    match placed.order.status {
        OrderStatus::Cancelled | OrderStatus::Rejected if aftermath.failed_refunds > 0 => {
            app.table.owe_refund(&placed, payment, aftermath.failed_refunds).await
        }
        // The next sweep settles the order, if it is unsettled, and does not wait for its next attempt.
        _ => app.table.retry_unsettled(order).await.map(drop),
    }
}
