//! Payments, carried out by whom the environment names.

use crate::{App, environment};
use ::payments::{Payments, Stripe};
use domain::{Error, Timestamp, id::OrderId, payment::PaymentId};
use std::sync::{Arc, Mutex, PoisonError};
use table::Closed;

/// How long a secret key is used before it is read again, in seconds: so long a replaced one has to stay good.
const RELOAD_SECONDS: u64 = 5 * 60;

/// The provider, once it was asked for, and when its key was read.
#[derive(Default)]
pub struct Provider(Mutex<Option<(Arc<Stripe>, Timestamp)>>);

impl App {
    /// Who carries payments out.
    pub async fn payments(&self) -> Result<Arc<Stripe>, Error> {
        let now = self.now();
        if let Some((stripe, loaded_at)) = &*self.provider.0.lock().unwrap_or_else(PoisonError::into_inner)
            && now < loaded_at.plus_seconds(RELOAD_SECONDS)
        {
            return Ok(Arc::clone(stripe));
        }
        let key = self.secret(&environment::required("PAYMENTS_SECRET_ARN")?).await?;
        let stripe = Arc::new(Stripe::new(&environment::required("PAYMENTS_URL")?, &key));
        *self.provider.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&stripe), now));
        Ok(stripe)
    }

    /// Begins the undo of an order and ends the payment that it has begun; whether the order was confirmed, so that there is nothing
    /// to undo.
    pub async fn void_payment(&self, order: OrderId) -> Result<bool, Error> {
        match self.table.close_payment(order).await? {
            Closed::Confirmed => Ok(true),
            Closed::Payment(None) => Ok(false),
            Closed::Payment(Some(payment)) => {
                self.payments().await?.void(order, &payment).await?;
                Ok(false)
            }
        }
    }

    /// Takes the money of a confirmed order.
    pub async fn capture_payment(&self, order: OrderId, payment: &PaymentId) -> Result<(), Error> {
        // An order that was cancelled meanwhile has had its payment voided, and is settled by that.
        self.payments().await?.capture(order, payment).await?;
        self.table.settle_paid(order).await
    }
}
