//! Mapping of Stripe's errors (<https://docs.stripe.com/error-codes>, <https://docs.stripe.com/declines/codes>).

use domain::{Error, rejection::RejectionReason};
use serde::Deserialize;

/// The maximum length of a code in the log, in characters.
const LONGEST_CODE: usize = 60;

/// Stripe's error object. It does not implement `Debug`, because its message may repeat values of the request, which
/// must not reach the log.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

/// The body of an error response.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Refusal,
}

impl Refusal {
    /// Parses a body. A body that is not Stripe's, such as a proxy's, results in an empty error object.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice::<Body>(body).unwrap_or_default().error
    }

    /// Whether the error has this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Type, code and parameter for the log, without values.
    pub fn summary(&self) -> String {
        let known = [&self.kind, &self.code, &self.param];
        let words: Vec<String> = known.into_iter().flatten().map(|word| plain(word)).collect();
        words.join(" ")
    }

    /// The decline with a detail for the customer. As Stripe requires, suspected fraud and lost or stolen cards get the
    /// same detail as any other decline.
    pub fn decline(&self) -> Error {
        let code = match self.code.as_deref() {
            None | Some("card_declined") => self.decline_code.as_deref(),
            code => code,
        };
        declined(match code.unwrap_or_default() {
            "insufficient_funds" => "The card does not have sufficient funds.",
            "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" => "The card's limit is reached.",
            "card_decline_rate_limit_exceeded" => "The card was declined too often; try it again tomorrow.",
            "expired_card" => "The card has expired.",
            "incorrect_cvc" | "invalid_cvc" => "The card's security code is wrong.",
            "incorrect_number" | "invalid_number" => "The card's number is wrong.",
            "invalid_expiry_month" | "invalid_expiry_year" => "The card's expiry date is wrong.",
            "incorrect_zip" | "incorrect_address" => "The billing address does not fit the card.",
            "authentication_required" | "payment_intent_authentication_failure" => {
                "The bank asks for an authentication, which is not possible here; pay with another card."
            }
            "currency_not_supported" => "The card cannot be used in this currency.",
            "card_not_supported" => "The card cannot be used for purchases of this kind.",
            "duplicate_transaction" => "The same payment was made a moment ago.",
            "processing_error" | "issuer_not_available" | "reenter_transaction" | "try_again_later" => {
                "The card could not be charged at the moment; try again later."
            }
            _ => "The card was declined; its bank can tell more.",
        })
    }

    /// Whether the payment method, which the customer supplies, caused the error: unknown, unsupported, or already
    /// used.
    pub fn blames_payment_method(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        // The error for an already used single-use token has no code and no parameter, only this message.
        let already_used = self.code.is_none()
            && self.message.as_deref().is_some_and(|text| text.starts_with("The provided PaymentMethod "));
        already_used
            || self.param.as_deref() == Some("payment_method")
            || code.starts_with("payment_method_")
            || code == "payment_intent_incompatible_payment_method"
    }

    /// Whether this parameter caused the error.
    pub fn blames(&self, parameter: &str) -> bool {
        self.param.as_deref() == Some(parameter)
    }
}

/// `Rejected` with `PaymentDeclined`; `detail` is for the customer.
pub fn declined(detail: impl Into<String>) -> Error {
    Error::Rejected(RejectionReason::PaymentDeclined { detail: detail.into() })
}

/// A code of Stripe's without characters that could break a log line, shortened to [`LONGEST_CODE`].
pub fn plain(word: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || "_-.[]".contains(*c);
    word.chars().filter(kept).take(LONGEST_CODE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(members: &str) -> Refusal {
        Refusal::read(format!(r#"{{"error": {{{members}}}}}"#).as_bytes())
    }

    fn detail_of(members: &str) -> String {
        match refusal(members).decline() {
            Error::Rejected(RejectionReason::PaymentDeclined { detail }) => detail,
            error => panic!("{error:?}"),
        }
    }

    #[test]
    fn declines_name_what_the_customer_can_correct() {
        let declined =
            |code: &str| detail_of(&format!(r#""code": "card_declined", "decline_code": "{code}""#));
        assert!(declined("insufficient_funds").contains("sufficient funds"));
        assert!(detail_of(r#""code": "expired_card", "decline_code": "expired_card""#).contains("expired"));
        let authentication =
            r#""code": "authentication_required", "decline_code": "authentication_not_handled""#;
        assert!(detail_of(authentication).contains("authentication"));
        assert!(detail_of(r#""code": "processing_error""#).contains("later"));
    }

    #[test]
    fn declines_do_not_reveal_fraud_or_theft() {
        let any = detail_of(r#""code": "card_declined", "decline_code": "generic_decline""#);
        for code in
            ["fraudulent", "lost_card", "stolen_card", "merchant_blacklist", "pickup_card", "restricted_card"]
        {
            assert_eq!(detail_of(&format!(r#""code": "card_declined", "decline_code": "{code}""#)), any);
        }
        assert_eq!(detail_of(""), any);
    }

    #[test]
    fn the_summary_has_codes_and_no_values() {
        let members = r#""type": "invalid_request_error", "code": "resource_missing", "param": "payment_method",
            "message": "No such PaymentMethod: 'pm_secret'", "payment_method": {"id": "pm_secret"}"#;
        assert_eq!(refusal(members).summary(), "invalid_request_error resource_missing payment_method");
        assert_eq!(refusal(r#""code": "a\nb c\u0007""#).summary(), "abc");
        assert_eq!(refusal(&format!(r#""code": "{}""#, "x".repeat(999))).summary().len(), LONGEST_CODE);
        assert_eq!(Refusal::read(b"<html>").summary(), "");
    }

    #[test]
    fn errors_of_the_payment_method_are_recognised() {
        for members in [
            r#""code": "resource_missing", "param": "payment_method""#,
            r#""code": "payment_method_unexpected_state""#,
            r#""code": "payment_intent_incompatible_payment_method""#,
            r#""message": "The provided PaymentMethod was previously used with a PaymentIntent""#,
        ] {
            assert!(refusal(members).blames_payment_method(), "{members}");
        }
        assert!(!refusal(r#""code": "resource_missing", "param": "intent""#).blames_payment_method());
        assert!(!refusal("").blames_payment_method());
    }
}
