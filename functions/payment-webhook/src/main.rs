//! `POST /payments/webhook`: takes the events of the payment provider, which proves by its signature that it sends them.

use app::{payment_events::PaymentEvents, payments::PaymentWebhook};
use payments::SIGNATURE;
use web::{Problem, Request, Response, respond};

app::clients! { webhook: PaymentWebhook, events: PaymentEvents }

fn main() -> runtime::Exit {
    runtime::serve(take_event)
}

/// Takes an event. An event that changes nothing is answered as any other, so that the provider does not repeat it.
pub(crate) async fn take_event(app: &App, request: Request) -> Result<Response, Problem> {
    let signature = request.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let event = app.webhook.event(signature, &request.body, app.now()).await?;
    app.events.process(&event).await?;
    Ok(respond::no_content())
}
