//! The client of the payment provider, with its secret key, and the provider's webhooks.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::{Derived, RELOAD_SECONDS},
};
use ::payments::{SIGNATURE, Stripe, WebhookEvent, WebhookSecret};
use domain::{Error, Fault, Timestamp};
use std::sync::Arc;

/// The payment provider's API: its URL, and the secret that holds the account's key.
pub struct PaymentProvider {
    context: Context,
    url: String,
    stripe: Derived<Stripe>,
}

impl PaymentProvider {
    /// The client, with a key that was read a few minutes ago at most.
    pub async fn client(&self) -> Result<Arc<Stripe>, Error> {
        let derive = async |key: String| {
            let stripe = Stripe::new(&self.url, &key);
            Ok(match self.context.payments() {
                Some(connector) => stripe.with_connector(connector.clone()),
                None => stripe,
            })
        };
        self.stripe.get(self.context.now(), derive).await
    }
}

impl Client for PaymentProvider {
    const NEEDS: Needs = Needs { settings: SETTINGS, operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            stripe: Derived::of(context, SECRET, RELOAD_SECONDS)?,
            url: context.settings().required(URL)?,
            context: context.clone(),
        })
    }
}

/// Reads events of the payment provider. Only their signature shows that the provider sends them.
pub struct PaymentWebhook {
    /// `None` until the secret is set.
    secret: Derived<Option<WebhookSecret>>,
}

impl PaymentWebhook {
    /// The event in the body of a request with this header field `Stripe-Signature`. `Invalid` if it is not signed by
    /// the provider.
    pub async fn event(
        &self,
        signature: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, Error> {
        let refused = |detail: &str| Err(Error::invalid(Fault::header(SIGNATURE, detail)));
        let Some(signature) = signature else { return refused("is missing") };
        let secret = self.secret.get(now, async |text: String| Ok(WebhookSecret::new(&text))).await?;
        if !secret.as_ref().as_ref().is_some_and(|secret| secret.signed(signature, body, now)) {
            return refused("is no signature of this body, or older than 5 minutes");
        }
        WebhookEvent::parse(body).ok_or_else(|| Error::invalid(Fault::here("is not an event")))
    }
}

impl Client for PaymentWebhook {
    const NEEDS: Needs = Needs { settings: &[WEBHOOK_SECRET], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { secret: Derived::of(context, WEBHOOK_SECRET, RELOAD_SECONDS)? })
    }
}

const WEBHOOK_SECRET: &str = "PAYMENTS_WEBHOOK_SECRET_ARN";
const SECRET: &str = "PAYMENTS_SECRET_ARN";
const URL: &str = "PAYMENTS_URL";
pub(crate) const SETTINGS: &[&str] = &[SECRET, URL];
