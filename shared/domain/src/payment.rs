//! Payment methods and payment ids, independent of the payment provider.

use crate::{Fault, input::Checked, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A payment method: a token that the payment provider issued. Card data is never sent to Souk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentMethod(String);

/// The prefix of a token.
const PREFIX: &str = "pm_";

/// The maximum length of a token, in bytes.
const LONGEST: usize = 255;

impl PaymentMethod {
    /// Parses a token. Faults never repeat the value, because a wrong value may be card data.
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

/// The payment provider's id of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentId(String);

impl PaymentId {
    /// From the provider's id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The provider's id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The status of a refund that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RefundStatus {
    /// The provider is at work.
    Pending,
    /// The provider refuses it. A person was told.
    Failed,
}

/// How a dispute stands: the customer has asked the bank to take the payment back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DisputeStatus {
    /// The bank has not decided.
    Open,
    /// The customer has the money back.
    Accepted,
    /// The payment stands.
    Declined,
}

impl RefundStatus {
    /// The status of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Pending, Self::Failed].into_iter().find(|status| status.to_string() == name)
    }
}

impl fmt::Display for RefundStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for DisputeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn statuses_are_stored_as_they_are_shown() {
        for status in [RefundStatus::Pending, RefundStatus::Failed] {
            assert_eq!(serde_json::to_value(status).unwrap(), json!(status.to_string()));
            assert_eq!(RefundStatus::of(&status.to_string()), Some(status));
        }
        assert_eq!(RefundStatus::of("done"), None);
        for status in [DisputeStatus::Open, DisputeStatus::Accepted, DisputeStatus::Declined] {
            assert_eq!(serde_json::to_value(status).unwrap(), json!(status.to_string()));
        }
    }

    #[test]
    fn only_tokens_are_payment_methods_and_faults_do_not_repeat_them() {
        assert_eq!(PaymentMethod::from_value(json!("pm_card_visa")).unwrap().as_str(), "pm_card_visa");
        let long = format!("pm_{}", "x".repeat(253));
        for wrong in ["", "pm_", "4242424242424242", "pm_4242 4242", "pm-1", "tok_visa", "pm_ä", &long] {
            let faults = PaymentMethod::from_value(json!(wrong)).unwrap_err();
            assert!(wrong.len() < 4 || !faults[0].detail.contains(wrong), "{faults:?}");
        }
    }

    #[test]
    fn a_payment_id_is_kept_and_shown_as_it_is() {
        let id = PaymentId::new("pi_1");
        assert_eq!((id.as_str(), id.to_string().as_str()), ("pi_1", "pi_1"));
    }
}
