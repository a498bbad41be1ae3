//! Payments by Stripe's PaymentIntents (<https://docs.stripe.com/api/payment_intents>) with manual capture.
//!
//! # Repeated calls
//!
//! Every POST has an idempotency key derived from the order's id and the step, so that a repeated call gets the first
//! response again. Stripe stores responses for at least 24 hours, including those with status 500: after a 500, a call
//! with the same key fails for a day, and it is unknown whether the first call took effect. This is resolved as
//! follows.
//!
//! First, Stripe confirms, captures and cancels an intent at most once with any key, and never refunds more than its
//! amount. Keys only save requests; after they expire, no step takes effect twice. The exception is `begin`, which then
//! creates a second intent. It holds no money and is never used.
//!
//! Second, a replayed response (`Idempotent-Replayed`) that is not a decline may be out of date. The intent is then
//! read: if the step is not done, the call is repeated with the next key. Stripe advises against a new key after a 500,
//! because the first request may have taken effect; reading the intent before rules that out. A 500 that is not
//! replayed is `Unavailable`, so that the caller's backoff separates the keys.
//!
//! A refund can fail after it was accepted. The keys of refunds therefore have the number of the attempt, which is the
//! number of the failed refunds of the intent plus one.
//!
//! There are no other retries. Lost connections, timeouts, 409, 429, 5xx and responses with `Stripe-Should-Retry: true`
//! become `Unavailable`.

use crate::{
    Aftermath, Captured, EventPage, Payments, Refunded, Voided, amounts,
    client::HttpClient,
    errors::{Refusal, declined},
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use domain::{
    Error, Money,
    id::{OrderId, UserId},
    payment::{PaymentId, PaymentMethod},
    payment_events::EventPeriod,
};
use serde::Deserialize;
use std::time::Duration;

/// The timeout of one call, including all its requests to Stripe. A bank may take longer: a repeated call then gets 409
/// until the first request ends, and its response afterwards.
const PATIENCE: Duration = Duration::from_secs(10);

/// The maximum number of idempotency keys of a step.
pub(crate) const KEYS: u32 = 5;

const INTENTS: &str = "/v1/payment_intents";

/// Payments by Stripe.
pub struct Stripe {
    pub(crate) client: HttpClient,
    patience: Duration,
}

/// The fields of a PaymentIntent that are used.
#[derive(Deserialize)]
struct Intent {
    id: String,
    status: String,
    last_payment_error: Option<Refusal>,
}

/// The state of a step, judged by the intent: done (`Some`), not done (`None`), or impossible (`Err`).
type Verdict<T> = Result<Option<T>, Error>;

/// A step that changes an intent.
struct Step<'a, T> {
    name: &'static str,
    form: &'a [(&'a str, &'a str)],
    judge: fn(&Intent) -> Verdict<T>,
    /// The error for a refusal that the customer or the bank caused; the second argument is whether it is a decline.
    refused: fn(&Refusal, bool) -> Option<Error>,
}

impl Stripe {
    /// A client for this base URL, such as `https://api.stripe.com`, with the account's secret key.
    pub fn new(base_url: &str, secret_key: &str) -> Self {
        Self { client: HttpClient::new(base_url, secret_key), patience: PATIENCE }
    }

    /// The client with this connector instead of its own, which opens connections to the base URL.
    #[must_use]
    pub fn with_connector(self, connector: SharedHttpConnector) -> Self {
        Self { client: self.client.with_connector(connector), ..self }
    }

    /// Whether a key was set. Without one, Stripe refuses every call.
    pub fn has_key(&self) -> bool {
        self.client.has_key()
    }

    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn with_timeout<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(self.patience, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::unavailable(format!("Stripe: no answer within {:?}", self.patience))),
        }
    }

    async fn create(&self, customer: UserId, order: OrderId, total: Money) -> Result<PaymentId, Error> {
        let amount = amounts::in_units(total)?.to_string();
        let currency = total.currency.code().to_ascii_lowercase();
        let (customer_id, order_id) = (customer.to_string(), order.to_string());
        // Cards only, not all methods that the account has enabled: every card supports separate authorisation and
        // capture, and none requires a redirect of the customer, which the API for orders does not support.
        let form = [
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("capture_method", "manual"),
            ("payment_method_types[]", "card"),
            ("metadata[customer_id]", &customer_id),
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

    /// Performs a step, unless the intent shows that it is done or impossible.
    async fn perform<T>(&self, order: OrderId, payment: &PaymentId, step: &Step<'_, T>) -> Result<T, Error> {
        let path = format!("{}/{}", intent_path(payment)?, step.name);
        for number in 1..=KEYS {
            let answer = self.client.post(&path, &key(order, step.name, number), step.form).await?;
            let error = match answer.read::<Intent>()? {
                Ok(intent) if !answer.replayed => {
                    let unexpected_status = || Error::internal(format!("Stripe, {path}: {}", intent.status));
                    return (step.judge)(&intent)?.ok_or_else(unexpected_status);
                }
                Ok(_) => None,
                Err(refusal) => {
                    if let Some(error) = (step.refused)(&refusal, answer.is_decline()) {
                        return Err(error);
                    }
                    if answer.is_transient() && !answer.replayed {
                        return Err(answer.error(&refusal));
                    }
                    Some(answer.error(&refusal))
                }
            };
            // The request was refused or its response replayed: the current state of the intent decides.
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
}

impl Payments for Stripe {
    async fn begin(&self, customer: UserId, order: OrderId, total: Money) -> Result<PaymentId, Error> {
        self.with_timeout(self.create(customer, order, total)).await
    }

    async fn authorize(
        &self,
        order: OrderId,
        payment: &PaymentId,
        method: &PaymentMethod,
    ) -> Result<(), Error> {
        let form = [("payment_method", method.as_str()), ("error_on_requires_action", "true")];
        let step = Step { name: "confirm", form: &form, judge: is_authorized, refused: decline };
        self.with_timeout(self.perform(order, payment, &step)).await
    }

    async fn capture(&self, order: OrderId, payment: &PaymentId) -> Result<Captured, Error> {
        let step = Step { name: "capture", form: &[], judge: is_captured, refused: |_, _| None };
        self.with_timeout(self.perform(order, payment, &step)).await
    }

    async fn void(&self, order: OrderId, payment: &PaymentId) -> Result<Voided, Error> {
        let step = Step { name: "cancel", form: &[], judge: is_ended, refused: |_, _| None };
        self.with_timeout(self.perform(order, payment, &step)).await
    }

    async fn refund(&self, order: OrderId, payment: &PaymentId) -> Result<Refunded, Error> {
        self.with_timeout(self.refund_rest(order, payment)).await
    }

    async fn order_of(&self, payment: &PaymentId) -> Result<Option<(UserId, OrderId)>, Error> {
        self.with_timeout(self.read_origin(payment)).await
    }

    async fn aftermath(&self, payment: &PaymentId) -> Result<Aftermath, Error> {
        self.with_timeout(self.read_aftermath(payment)).await
    }

    async fn events(&self, period: &EventPeriod) -> Result<EventPage, Error> {
        self.with_timeout(self.read_events(period)).await
    }
}

/// The path of an intent. The id is validated, because it becomes part of a URL.
pub(crate) fn intent_path(payment: &PaymentId) -> Result<String, Error> {
    let id = payment.as_str();
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Error::internal("Stripe: the stored payment id is malformed"));
    }
    Ok(format!("{INTENTS}/{id}"))
}

pub(crate) fn key(order: OrderId, step: &str, number: u32) -> String {
    match number {
        1 => format!("souk-{order}-{step}"),
        _ => format!("souk-{order}-{step}-{number}"),
    }
}

pub(crate) fn exhausted(step: &str) -> Error {
    Error::unavailable(format!(
        "Stripe: all idempotency keys of {step} are used, and every response is replayed"
    ))
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
        ("processing", _) => Err(processing(intent)),
        _ => Ok(None),
    }
}

fn is_captured(intent: &Intent) -> Verdict<Captured> {
    match intent.status.as_str() {
        "succeeded" => Ok(Some(Captured::Done)),
        "canceled" => Ok(Some(Captured::Voided)),
        "processing" => Err(processing(intent)),
        _ => Ok(None),
    }
}

/// Whether the payment can no longer be authorised or captured.
fn is_ended(intent: &Intent) -> Verdict<Voided> {
    match intent.status.as_str() {
        "canceled" => Ok(Some(Voided::Released)),
        "succeeded" => Ok(Some(Voided::Captured)),
        "processing" => Err(processing(intent)),
        _ => Ok(None),
    }
}

fn processing(intent: &Intent) -> Error {
    Error::unavailable(format!("Stripe: {} is being processed", intent.id))
}
