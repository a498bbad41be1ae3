//! Stripe's PaymentIntents.

use crate::{Captured, Payments, Voided};
use domain::{
    Error, Money,
    id::OrderId,
    payment::{PaymentId, PaymentMethod},
};

/// Payments by Stripe.
pub struct Stripe {
    base_url: String,
    secret_key: String,
}

impl Stripe {
    /// Payments at this address, such as `https://api.stripe.com`, with the account's secret key.
    pub fn new(base_url: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), secret_key: secret_key.into() }
    }

    fn missing(&self) -> Error {
        Error::internal(format!("{} {}", self.base_url, self.secret_key.len()))
    }
}

impl Payments for Stripe {
    async fn begin(&self, _: OrderId, _: Money) -> Result<PaymentId, Error> {
        Err(self.missing())
    }

    async fn authorize(&self, _: OrderId, _: &PaymentId, _: &PaymentMethod) -> Result<(), Error> {
        Err(self.missing())
    }

    async fn capture(&self, _: OrderId, _: &PaymentId) -> Result<Captured, Error> {
        Err(self.missing())
    }

    async fn void(&self, _: OrderId, _: &PaymentId) -> Result<Voided, Error> {
        Err(self.missing())
    }
}
