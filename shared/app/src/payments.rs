//! The client of the payment provider, with its secret key.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::Derived,
};
use ::payments::Stripe;
use domain::Error;
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
            stripe: Derived::of(context, SECRET)?,
            url: context.settings().required(URL)?,
            context: context.clone(),
        })
    }
}

const SECRET: &str = "PAYMENTS_SECRET_ARN";
const URL: &str = "PAYMENTS_URL";
pub(crate) const SETTINGS: &[&str] = &[SECRET, URL];
