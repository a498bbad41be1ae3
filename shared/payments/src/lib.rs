//! Payments: what carries an order's money, and how it is asked.
//!
//! A payment is begun, authorised, and then either captured or voided. Each call may be made again, in any state that the
//! payment is in, after an answer that was lost or in place of one that is still under way: it does its work once and tells
//! how the payment stands. `Error::Unavailable` means that the call has to be made again; nothing here does so itself, since
//! the state machines do.

mod amounts;
mod client;
mod errors;
#[cfg(test)]
mod scripted;
mod stripe;

pub use stripe::Stripe;

use domain::{
    Error, Money,
    id::OrderId,
    payment::{PaymentId, PaymentMethod},
};

/// What became of a call to take the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured {
    /// The money was taken, now or before; it may have been given back since.
    Done,
    /// The payment was voided before, and nothing can be taken.
    Voided,
}

/// What became of a call to give the money back. Either way the customer pays nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voided {
    /// Nothing was taken, and nothing can be any more.
    Released,
    /// What was taken goes back, now or with an earlier call.
    Refunded,
}

/// Who carries payments out.
#[expect(async_fn_in_trait, reason = "the runtime has one thread, so that no future has to be Send")]
pub trait Payments {
    /// Opens the payment of an order. Nobody's money is touched. Called again within a day, it answers the same payment;
    /// one that nobody goes on with does no harm.
    ///
    /// `Rejected` with `PaymentDeclined` when the amount cannot be paid.
    async fn begin(&self, order: OrderId, total: Money) -> Result<PaymentId, Error>;

    /// Has the customer's bank hold the money. Authorised before, it is well.
    ///
    /// `Rejected` with `PaymentDeclined` when the bank or the provider refuses, also when it did so before; `Conflict` when
    /// the payment was voided meanwhile.
    async fn authorize(
        &self,
        order: OrderId,
        payment: &PaymentId,
        method: &PaymentMethod,
    ) -> Result<(), Error>;

    /// Takes the money that is held.
    async fn capture(&self, order: OrderId, payment: &PaymentId) -> Result<Captured, Error>;

    /// Ends a payment in whatever state it is: nothing is held any more, and what was taken is given back in full.
    async fn void(&self, order: OrderId, payment: &PaymentId) -> Result<Voided, Error>;
}
