//! Payments: the interface to the payment provider, its implementation for Stripe, and Stripe's webhooks.
//!
//! A payment is begun, authorised, and then either captured or voided; what was captured can be refunded. Every call is
//! idempotent in every state of the payment: it can be repeated after a lost response or during another call, takes
//! effect once, and returns the state of the payment. `Error::Unavailable` means that the caller must repeat the call.
//! This crate does not retry; the state machines do.

mod amounts;
mod client;
mod errors;
mod events;
mod refunds;
#[cfg(test)]
mod scripted;
mod stripe;
mod webhook;

pub use stripe::Stripe;
pub use webhook::{SIGNATURE, WebhookEvent, WebhookSecret};

use domain::{
    Error, Money,
    id::{OrderId, UserId},
    payment::{DisputeStatus, PaymentId, PaymentMethod},
    payment_events::EventPeriod,
};

/// The result of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured {
    /// The payment was captured, by this call or before; it may have been refunded since.
    Done,
    /// The payment was voided before and cannot be captured.
    Voided,
}

/// The result of a void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voided {
    /// The payment was not captured and can no longer be captured: the customer pays nothing.
    Released,
    /// The payment was captured before, and has to be refunded.
    Captured,
}

/// The state of the refund of a captured payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    /// The whole amount is refunded, by this call or an earlier one.
    Done,
    /// The refund is under way, and may still fail.
    Pending,
    /// The provider will not refund the payment: why, for the log.
    Refused(String),
}

/// The failed refunds and the dispute of a captured payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aftermath {
    /// The number of refunds that failed.
    pub failed_refunds: usize,
    /// The state of the customer's dispute, if there is one.
    pub dispute: Option<DisputeStatus>,
}

/// A page of the provider's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<WebhookEvent>,
    /// The last event of the page, if there are more pages.
    pub last: Option<String>,
}

/// A payment provider.
#[expect(async_fn_in_trait, reason = "the runtime has one thread, so that no future has to be Send")]
pub trait Payments {
    /// Creates the payment of an order without authorising it. A repeated call within 24 hours returns the same
    /// payment. An abandoned payment holds no money.
    ///
    /// Error: `Rejected` with `PaymentDeclined` if the amount cannot be paid.
    async fn begin(&self, customer: UserId, order: OrderId, total: Money) -> Result<PaymentId, Error>;

    /// Authorises the payment: the customer's bank holds the amount. Succeeds if it is authorised already.
    ///
    /// Errors: `Rejected` with `PaymentDeclined` if the bank or the provider declines or declined before; `Conflict` if
    /// the payment was voided.
    async fn authorize(
        &self,
        order: OrderId,
        payment: &PaymentId,
        method: &PaymentMethod,
    ) -> Result<(), Error>;

    /// Captures the authorised amount.
    async fn capture(&self, order: OrderId, payment: &PaymentId) -> Result<Captured, Error>;

    /// Ends a payment that is not captured: cancels the authorisation.
    async fn void(&self, order: OrderId, payment: &PaymentId) -> Result<Voided, Error>;

    /// Refunds what is not refunded yet of a captured payment. A refund that failed is tried again by the next call.
    ///
    /// Error: `Unavailable` if the refund failed and may be tried again.
    async fn refund(&self, order: OrderId, payment: &PaymentId) -> Result<Refunded, Error>;

    /// The customer and the order of a payment; `None` if it is not a payment of an order.
    async fn order_of(&self, payment: &PaymentId) -> Result<Option<(UserId, OrderId)>, Error>;

    /// The failed refunds and the dispute of a captured payment.
    async fn aftermath(&self, payment: &PaymentId) -> Result<Aftermath, Error>;

    /// The next page of the events of a period that can change something, whether or not they were delivered. If the
    /// provider no longer has the event after which the page begins, it is the first page.
    async fn events(&self, period: &EventPeriod) -> Result<EventPage, Error>;
}
