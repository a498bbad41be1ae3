//! Events of the payment provider, signed as Stripe signs them (<https://docs.stripe.com/webhooks#verify-manually>).

use aws_lc_rs::hmac;
use serde_json::{Value, json};

/// The secret of the webhook endpoint in all tests, which is that of the local run too.
pub const SECRET: &str = "whsec_local";

/// The body of an event about a payment.
pub fn event(id: &str, kind: &str, payment: &str) -> Value {
    json!({"id": id, "type": kind, "data": {"object": {"id": payment, "payment_intent": payment}}})
}

/// The header field `Stripe-Signature` of a body that is sent at this time, in seconds since 1970.
pub fn signature(body: &[u8], sent_at: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, &[format!("{sent_at}.").as_bytes(), body].concat());
    tag.as_ref().iter().fold(format!("t={sent_at},v1="), |header, byte| header + &format!("{byte:02x}"))
}
