//! The reason for which an order is rejected, or for which its payment failed.

use crate::{id::ProductId, saga::FailedStep};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The reason for which an order is rejected, or for which its payment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "camelCase")]
pub enum RejectionReason {
    /// The stock of some products is less than the ordered quantity.
    OutOfStock {
        /// These products, with their stock.
        lines: Vec<Shortage>,
    },
    /// The customer's payment method was declined.
    PaymentDeclined {
        /// The reason, for the customer.
        detail: String,
    },
    /// The payment of a confirmed order was cancelled before it was captured.
    PaymentCancelled {
        /// The reason, for the customer.
        detail: String,
    },
    /// A step failed for a reason that is not the customer's.
    Failed(FailedStep),
}

impl RejectionReason {
    /// The payment was cancelled at the payment provider. The provider does not say by whom.
    pub fn payment_cancelled() -> Self {
        let detail = "The payment was cancelled before the amount was taken; nothing was charged.";
        Self::PaymentCancelled { detail: detail.to_owned() }
    }

    /// The reason from a failed step. The cause of an error named `Rejected` is a `RejectionReason` in JSON; any other error is
    /// `Failed`.
    pub fn of(step: String, error: &str, cause: &str) -> Self {
        let reason = (error == "Rejected").then(|| serde_json::from_str(cause).ok()).flatten();
        reason.unwrap_or_else(|| Self::Failed(FailedStep::new(step, error)))
    }
}

/// A sentence for the customer.
impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock { .. } => f.write_str("The order was rejected: not enough stock."),
            Self::PaymentDeclined { detail } => write!(f, "The order was rejected: {detail}"),
            Self::PaymentCancelled { detail } => f.write_str(detail),
            Self::Failed(failed) => {
                write!(f, "The order was rejected: {} failed, {}.", failed.step, failed.detail)
            }
        }
    }
}

/// A product with less stock than ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// The product.
    pub product_id: ProductId,
    /// The number of units in stock; 0 for a withdrawn product.
    pub available: i64,
}
