//! Stripe's PaymentIntents (<https://docs.stripe.com/api/payment_intents>), confirmed here and captured later.
//!
//! # Calls that are made again
//!
//! Every POST has an idempotency key that is made of the order's id and the step, so that the answer to a call is the same
//! however often it is made: an answer that was lost is answered again. Stripe keeps answers for at least 24 hours, and it keeps
//! those of 500 as well: a call that failed so once fails for a day, though whether its work was done is open. Two things lead
//! out of this.
//!
//! First, an intent is confirmed, captured and cancelled once at most, whatever the keys, and a payment cannot be refunded beyond
//! its amount. Keys are thus no more than the faster way; when they have expired, nothing is done twice. Only `begin` makes a
//! second intent then, which holds nobody's money and of which nobody knows.
//!
//! Second, an answer that is repeated (`Idempotent-Replayed`) and is not a decline tells how it was. The intent itself is then
//! read and decides; where the work is still to be done, the call is made under the next key. Stripe advises against a new key
//! after a 500, since the old one may have had effects: those are what is read before. A 500 that is no repetition is
//! `Unavailable`, so that the caller's pauses lie between the keys.
//!
//! Nothing is repeated here otherwise. Lost connections, 409, 429, 5xx and whatever has `Stripe-Should-Retry: true` become
//! `Unavailable`; so does silence.

use crate::{
    Captured, Payments, Voided, amounts,
    client::Client,
    errors::{Refusal, declined},
};
use domain::{
    Error, Money,
    id::OrderId,
    payment::{PaymentId, PaymentMethod},
};
use serde::Deserialize;
use std::time::Duration;

/// How long one call of ours waits for all that it asks of Stripe. A bank may take longer: the next call meets the first one's
/// key in use, and then its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many keys a step has.
const KEYS: u32 = 5;

const INTENTS: &str = "/v1/payment_intents";

/// Payments by Stripe.
pub struct Stripe {
    client: Client,
    patience: Duration,
}

/// What we want to know of a PaymentIntent.
#[derive(Deserialize)]
struct Intent {
    id: String,
    status: String,
    last_payment_error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refund {
    status: Option<String>,
}

/// What a look at an intent says of a step: it is done, it is still to be done, or it cannot be.
type Verdict<T> = Result<Option<T>, Error>;

/// A step that changes an intent.
struct Step<'a, T> {
    name: &'static str,
    form: &'a [(&'a str, &'a str)],
    judge: fn(&Intent) -> Verdict<T>,
    /// What a refusal means beyond a mistake of ours, given whether it is a decline.
    refused: fn(&Refusal, bool) -> Option<Error>,
}

impl Stripe {
    /// Payments at this address, such as `https://api.stripe.com`, with the account's secret key.
    pub fn new(base_url: &str, secret_key: &str) -> Self {
        Self { client: Client::new(base_url, secret_key), patience: PATIENCE }
    }

    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(self.patience, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::unavailable(format!("Stripe: no answer within {:?}", self.patience))),
        }
    }

    async fn create(&self, order: OrderId, total: Money) -> Result<PaymentId, Error> {
        let amount = amounts::in_units(total)?.to_string();
        let currency = total.currency.code().to_ascii_lowercase();
        let order_id = order.to_string();
        // Cards alone, instead of whatever the account has switched on: all of them can be authorised now and captured
        // later, and none sends the customer to another page, for which there is no place in an order.
        let form = [
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("capture_method", "manual"),
            ("payment_method_types[]", "card"),
            ("metadata[order_id]", &order_id),
        ];
        for number in 1..=KEYS {
            let answer = self.client.post(INTENTS, &key(order, "begin", number), &form).await?;
            let refusal = match answer.read::<Intent>()? {
                Ok(intent) => return Ok(PaymentId::new(intent.id)),
                Err(refusal) => refusal,
            };
            if answer.replayed && answer.is_fault() {
                continue;
            }
            return Err(if refusal.is("amount_too_small") {
                declined("The amount is less than can be paid.")
            } else if refusal.is("amount_too_large") {
                declined(amounts::TOO_LARGE)
            } else if refusal.blames("currency") {
                amounts::unknown(total.currency)
            } else {
                answer.error(&refusal)
            });
        }
        Err(exhausted("begin"))
    }

    /// Does a step, unless the intent shows that it is done or cannot be.
    async fn act<T>(&self, order: OrderId, payment: &PaymentId, step: &Step<'_, T>) -> Result<T, Error> {
        let path = format!("{}/{}", intent_path(payment)?, step.name);
        for number in 1..=KEYS {
            let answer = self.client.post(&path, &key(order, step.name, number), step.form).await?;
            let error = match answer.read::<Intent>()? {
                Ok(intent) if !answer.replayed => {
                    let stranded = || Error::internal(format!("Stripe, {path}: {}", intent.status));
                    return (step.judge)(&intent)?.ok_or_else(stranded);
                }
                Ok(_) => None,
                Err(refusal) => {
                    if let Some(error) = (step.refused)(&refusal, answer.is_decline()) {
                        return Err(error);
                    }
                    if answer.is_passing() && !answer.replayed {
                        return Err(answer.error(&refusal));
                    }
                    Some(answer.error(&refusal))
                }
            };
            // Refused, or only repeated: what the intent is now decides.
            if let Some(done) = (step.judge)(&self.intent(payment).await?)? {
                return Ok(done);
            }
            match error {
                Some(error) if !answer.replayed => return Err(error),
                _ => {}
            }
        }
        Err(exhausted(step.name))
    }

    async fn intent(&self, payment: &PaymentId) -> Result<Intent, Error> {
        let answer = self.client.get(&intent_path(payment)?).await?;
        answer.read()?.map_err(|refusal| answer.error(&refusal))
    }

    /// Gives back whatever of it was not given back yet.
    async fn refund(&self, order: OrderId, payment: &PaymentId) -> Result<(), Error> {
        let form = [("payment_intent", payment.as_str())];
        for number in 1..=KEYS {
            let answer = self.client.post("/v1/refunds", &key(order, "refund", number), &form).await?;
            let refusal = match answer.read::<Refund>()? {
                Ok(refund) => match refund.status.as_deref() {
                    Some(status @ ("failed" | "canceled")) => {
                        return Err(Error::internal(format!("Stripe: the refund of {payment} is {status}")));
                    }
                    _ => return Ok(()),
                },
                Err(refusal) => refusal,
            };
            if refusal.is("charge_already_refunded") {
                return Ok(());
            }
            if !answer.replayed {
                return Err(answer.error(&refusal));
            }
        }
        Err(exhausted("refund"))
    }
}

impl Payments for Stripe {
    async fn begin(&self, order: OrderId, total: Money) -> Result<PaymentId, Error> {
        self.within(self.create(order, total)).await
    }

    async fn authorize(
        &self,
        order: OrderId,
        payment: &PaymentId,
        method: &PaymentMethod,
    ) -> Result<(), Error> {
        let form = [("payment_method", method.as_str()), ("error_on_requires_action", "true")];
        let step = Step { name: "confirm", form: &form, judge: is_authorized, refused: decline };
        self.within(self.act(order, payment, &step)).await
    }

    async fn capture(&self, order: OrderId, payment: &PaymentId) -> Result<Captured, Error> {
        let step = Step { name: "capture", form: &[], judge: is_captured, refused: |_, _| None };
        self.within(self.act(order, payment, &step)).await
    }

    async fn void(&self, order: OrderId, payment: &PaymentId) -> Result<Voided, Error> {
        let step = Step { name: "cancel", form: &[], judge: is_ended, refused: |_, _| None };
        self.within(async {
            let ended = self.act(order, payment, &step).await?;
            if ended == Voided::Refunded {
                self.refund(order, payment).await?;
            }
            Ok(ended)
        })
        .await
    }
}

/// Where an intent lies. Its id comes from Stripe and is part of an address.
fn intent_path(payment: &PaymentId) -> Result<String, Error> {
    let id = payment.as_str();
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Error::internal("Stripe: what is kept as a payment's id is none"));
    }
    Ok(format!("{INTENTS}/{id}"))
}

fn key(order: OrderId, step: &str, number: u32) -> String {
    match number {
        1 => format!("souk-{order}-{step}"),
        _ => format!("souk-{order}-{step}-{number}"),
    }
}

fn exhausted(step: &str) -> Error {
    Error::unavailable(format!("Stripe: only repeats what it answered to all keys of {step}"))
}

fn decline(refusal: &Refusal, declined_by_bank: bool) -> Option<Error> {
    if declined_by_bank {
        Some(refusal.decline())
    } else if refusal.blames_payment_method() {
        Some(declined("The payment method is not known or cannot be used here."))
    } else {
        None
    }
}

fn is_authorized(intent: &Intent) -> Verdict<()> {
    match (intent.status.as_str(), &intent.last_payment_error) {
        ("requires_capture" | "succeeded", _) => Ok(Some(())),
        ("canceled", _) => Err(Error::Conflict { detail: "The payment was voided." }),
        ("requires_payment_method", Some(refusal)) => Err(refusal.decline()),
        ("processing", _) => Err(underway(intent)),
        _ => Ok(None),
    }
}

fn is_captured(intent: &Intent) -> Verdict<Captured> {
    match intent.status.as_str() {
        "succeeded" => Ok(Some(Captured::Done)),
        "canceled" => Ok(Some(Captured::Voided)),
        "processing" => Err(underway(intent)),
        _ => Ok(None),
    }
}

/// Whether a payment can take nothing any more; what it took has to be refunded.
fn is_ended(intent: &Intent) -> Verdict<Voided> {
    match intent.status.as_str() {
        "canceled" => Ok(Some(Voided::Released)),
        "succeeded" => Ok(Some(Voided::Refunded)),
        "processing" => Err(underway(intent)),
        _ => Ok(None),
    }
}

fn underway(intent: &Intent) -> Error {
    Error::unavailable(format!("Stripe: {} is being processed", intent.id))
}
