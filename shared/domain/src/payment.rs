//! Payments, as far as they do not depend on who carries them out.

use crate::{Fault, input::Checked, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How a customer pays: a token that the payment provider gave out for it. Card data never comes here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentMethod(String);

/// How a token begins.
const PREFIX: &str = "pm_";

/// How long a token is at most.
const LONGEST: usize = 255;

impl PaymentMethod {
    /// Reads a token. What else was sent may be card data, so no fault repeats it.
    pub fn from_value(value: Value) -> Checked<Self> {
        let text = text::string(value)?;
        let rest = text.strip_prefix(PREFIX).unwrap_or_default();
        let token = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !rest.is_empty() && token && text.len() <= LONGEST {
            Ok(Self(text))
        } else {
            let detail = "must be a payment method's token, pm_ and then letters, digits and underscores";
            Err(vec![Fault::here(detail)])
        }
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the payment provider calls one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentId(String);

impl PaymentId {
    /// The provider's name for it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The provider's name for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payment_method_is_a_token_and_nothing_else() {
        assert_eq!(PaymentMethod::from_value(json!("pm_card_visa")).unwrap().as_str(), "pm_card_visa");
        let long = format!("pm_{}", "x".repeat(253));
        for wrong in ["", "pm_", "4242424242424242", "pm_4242 4242", "pm-1", "tok_visa", "pm_ä", &long] {
            let faults = PaymentMethod::from_value(json!(wrong)).unwrap_err();
            assert!(wrong.len() < 4 || !faults[0].detail.contains(wrong), "{faults:?}");
        }
    }
}
