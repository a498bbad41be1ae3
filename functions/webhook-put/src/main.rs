//! `PUT /webhook`: sets where the caller's notifications are posted, with a new secret.

use app::table::Table;
use crawl::{EndpointSecret, WebhookClient};
use domain::{
    Error, Fault, Input,
    input::{Checked, Members},
    text,
    webhook::Webhook,
};
use serde::Serialize;
use serde_json::Value;
use web::{Problem, Request, Response, respond};

/// The body of the request.
struct NewWebhook {
    url: String,
}

impl Input for NewWebhook {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = || -> Checked<Self> {
            let mut members = Members::of(value)?;
            let url = members.required("url", text::string);
            members.finish(|| Some(Self { url: url? }))
        };
        read().map_err(Error::Invalid)
    }
}

/// The webhook, with its secret, which no other answer contains.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    webhook: Webhook,
    secret: String,
}

app::clients! { table: Table, client: WebhookClient }

fn main() -> runtime::Exit {
    runtime::serve(put_webhook)
}

/// Sets a webhook.
pub(crate) async fn put_webhook(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let NewWebhook { url } = request.json()?;
    let address = app.client.parse(&url);
    let address = address.map_err(|refused| Error::invalid(Fault::here(refused.message).under("url")))?;
    let webhook = Webhook::new(address.as_str().to_owned(), request.received_at);
    let secret = app.random()?;
    app.table.put_webhook(caller.user_id, &webhook, &secret).await?;
    respond::ok(&Answer { webhook, secret: EndpointSecret(&secret).text() })
}
