//! The client of the payment provider, with its secret key.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets,
};
use ::payments::Stripe;
use domain::{Error, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a secret key is used before it is read again, in seconds. A replaced key must stay valid for that long.
const RELOAD_SECONDS: u64 = 5 * 60;

/// The payment provider's API: its URL, and the secret that holds the account's key.
pub struct PaymentProvider {
    context: Context,
    secret_arn: String,
    url: String,
    /// The client, and the time when its key was read.
    loaded: Mutex<Option<(Arc<Stripe>, Timestamp)>>,
}

impl PaymentProvider {
    /// The client, with a key that was read at most [`RELOAD_SECONDS`] ago.
    pub async fn client(&self) -> Result<Arc<Stripe>, Error> {
        let now = self.context.now();
        if let Some((stripe, loaded_at)) = &*self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
            && now < loaded_at.plus_seconds(RELOAD_SECONDS)
        {
            return Ok(Arc::clone(stripe));
        }
        let key = secrets::read(self.context.sdk(), &self.secret_arn).await?;
        let stripe = Stripe::new(&self.url, &key);
        let stripe = Arc::new(match self.context.payments() {
            Some(connector) => stripe.with_connector(connector.clone()),
            None => stripe,
        });
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&stripe), now));
        Ok(stripe)
    }
}

impl Client for PaymentProvider {
    const NEEDS: Needs = Needs { settings: SETTINGS, operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            secret_arn: context.settings().required(SECRET)?,
            url: context.settings().required(URL)?,
            context: context.clone(),
            loaded: Mutex::default(),
        })
    }
}

const SECRET: &str = "PAYMENTS_SECRET_ARN";
const URL: &str = "PAYMENTS_URL";
pub(crate) const SETTINGS: &[&str] = &[SECRET, URL];
