//! Webhooks: events that Stripe sends, and the signature that proves it
//! (<https://docs.stripe.com/webhooks#verify-manually>).

use aws_lc_rs::hmac;
use domain::{Timestamp, payment::PaymentId};
use serde_json::Value;

/// The header field with the signatures.
pub const SIGNATURE: &str = "Stripe-Signature";

/// The maximum difference between the time of a signature and the present, in seconds, as Stripe's own clients have it.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// What every endpoint's secret begins with. The template's default value does not, so that nobody can sign with it.
const PREFIX: &str = "whsec_";

/// The maximum length of an event's id, as of all of Stripe's ids, in bytes.
const LONGEST_ID: usize = 255;

/// The scheme of a signature. Others are ignored, so that nobody can choose a weaker one.
const SCHEME: &str = "v1";

/// The events that can change what an order has to say about its money; README.md lists them for the endpoint. Others
/// change nothing.
pub(crate) const KNOWN: &[&str] = &[
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.refund.updated",
    "payment_intent.canceled",
    "refund.failed",
    "refund.updated",
];

/// The secret of a webhook endpoint, with which Stripe signs. It does not implement `Debug`, so that it is never printed.
pub struct WebhookSecret(hmac::Key);

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Its id. An event that is sent again has the same.
    pub id: String,
    /// The payment that it is about; `None` if it changes nothing.
    pub payment: Option<PaymentId>,
}

impl WebhookSecret {
    /// From the text of the secret; `None` if it is not an endpoint's secret.
    pub fn new(secret: &str) -> Option<Self> {
        // A secret that was entered by hand often ends with a line feed.
        let secret = secret.trim();
        secret.starts_with(PREFIX).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// Whether the header field has a signature of the body with this secret, not older than the tolerance. While a
    /// secret is replaced, Stripe sends a signature with each of the two.
    pub fn signed(&self, signature: &str, body: &[u8], now: Timestamp) -> bool {
        let fields = || signature.split(',').filter_map(|field| field.trim().split_once('='));
        let Some((_, sent)) = fields().find(|(name, _)| *name == "t") else { return false };
        if sent.parse().is_ok_and(|sent: u64| sent.abs_diff(now.unix_seconds()) <= TOLERANCE_SECONDS) {
            let signed = [sent.as_bytes(), b".", body].concat();
            let mut signatures = fields().filter(|(name, _)| *name == SCHEME);
            // `verify` takes the same time for every wrong signature.
            signatures
                .any(|(_, hex)| unhex(hex).is_some_and(|tag| hmac::verify(&self.0, &signed, &tag).is_ok()))
        } else {
            false
        }
    }
}

impl WebhookEvent {
    /// Parses the body of a request whose signature was verified; `None` if it is not an event.
    pub fn parse(body: &[u8]) -> Option<Self> {
        Self::of(&serde_json::from_slice(body).ok()?)
    }

    pub(crate) fn of(event: &Value) -> Option<Self> {
        let (id, kind, object) = (event["id"].as_str()?, event["type"].as_str()?, &event["data"]["object"]);
        if !(1..=LONGEST_ID).contains(&id.len()) {
            return None;
        }
        let of_payment = if kind.starts_with("payment_intent.") { "id" } else { "payment_intent" };
        let payment = object[of_payment].as_str().filter(|_| KNOWN.contains(&kind)).map(PaymentId::new);
        Some(Self { id: id.to_owned(), payment })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SECRET: &str = "whsec_test";
    const BODY: &[u8] = br#"{"id": "evt_1"}"#;
    const SENT: u64 = 1_790_000_000;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn is_signed(signature: &str, body: &[u8], now: u64) -> bool {
        WebhookSecret::new(SECRET).unwrap().signed(signature, body, at(now))
    }

    /// The signature of `BODY` at `SENT`, as `openssl dgst -sha256 -hmac whsec_test` computes it.
    const OF_OPENSSL: &str = "b36f4c72cd593b9c0b21f15a9eadcc506bc56028839405b372888a01e8aa7aa1";

    fn header() -> String {
        format!("t={SENT},v1={OF_OPENSSL},v0={}", "0".repeat(64))
    }

    #[test]
    fn a_signature_of_the_time_and_the_body_is_accepted_for_five_minutes() {
        for now in [SENT - 300, SENT, SENT + 300] {
            assert!(is_signed(&header(), BODY, now));
        }
        for now in [SENT - 301, SENT + 301, 0] {
            assert!(!is_signed(&header(), BODY, now), "{now}");
        }
    }

    #[test]
    fn one_of_several_signatures_suffices() {
        let other = "0".repeat(64);
        assert!(is_signed(&format!("t={SENT},v1={other},v1={OF_OPENSSL}"), BODY, SENT));
        assert!(is_signed(&format!("t={SENT}, v1={}", OF_OPENSSL.to_uppercase()), BODY, SENT));
    }

    #[test]
    fn what_is_not_signed_is_refused() {
        let of_v0 = header().replace("v1=", "v0=");
        let later = header().replace(&SENT.to_string(), &(SENT + 1).to_string());
        let shorter = format!("t={SENT},v1={}", &OF_OPENSSL[..62]);
        for wrong in ["", "t=", "t=x,v1=", &of_v0, &later, &shorter, &format!("v1={OF_OPENSSL}"), "t=1,v1=ä"]
        {
            assert!(!is_signed(wrong, BODY, SENT), "{wrong}");
        }
        assert!(!is_signed(&header(), b"{}", SENT));
        let other = WebhookSecret::new("whsec_other").unwrap();
        assert!(!other.signed(&header(), BODY, at(SENT)));
    }

    #[test]
    fn the_default_of_the_template_signs_nothing() {
        assert!(WebhookSecret::new("unset").is_none() && WebhookSecret::new("").is_none());
        let entered_by_hand = WebhookSecret::new(&format!("{SECRET}\n")).unwrap();
        assert!(entered_by_hand.signed(&header(), BODY, at(SENT)));
    }

    fn payment_of(kind: &str, object: &Value) -> Option<String> {
        let body = json!({"id": "evt_1", "type": kind, "data": {"object": object}}).to_string();
        let event = WebhookEvent::parse(body.as_bytes()).unwrap();
        assert_eq!(event.id, "evt_1");
        event.payment.map(|payment| payment.to_string())
    }

    #[test]
    fn an_event_names_the_payment_that_it_is_about() {
        let refund = json!({"id": "re_1", "payment_intent": "pi_1", "status": "failed"});
        for kind in ["refund.failed", "charge.refund.updated", "charge.dispute.created"] {
            assert_eq!(payment_of(kind, &refund).as_deref(), Some("pi_1"));
        }
        assert_eq!(payment_of("payment_intent.canceled", &json!({"id": "pi_2"})).as_deref(), Some("pi_2"));
        assert_eq!(payment_of("refund.failed", &json!({"id": "re_1", "payment_intent": null})), None);
        assert_eq!(payment_of("customer.created", &json!({"id": "cus_1"})), None);
        assert_eq!(payment_of("payment_intent.succeeded", &json!({"id": "pi_1"})), None);
        for other in ["", "{}", "[]", r#"{"id": 1, "type": "x"}"#, r#"{"id": "evt_1"}"#] {
            assert_eq!(WebhookEvent::parse(other.as_bytes()), None, "{other}");
        }
    }
}
