//! Orders, and transitions of their status.

use crate::{
    Error, Money, Timestamp, Version,
    id::{OrderId, ProductId, UserId, VisitorUuid},
    overlay::InExperiment,
    payment::{DisputeStatus, PaymentId, PaymentMethod, RefundStatus},
    product::ProductName,
    rejection::RejectionReason,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A product and its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedLine {
    /// The product.
    pub product_id: ProductId,
    /// The quantity.
    pub quantity: i64,
}

/// A line of an order, with the name and the price at the time of placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// The product's name.
    pub name: ProductName,
    /// The quantity.
    pub quantity: i64,
    /// The price of one unit.
    pub unit_price: Money,
    /// `unit_price` times `quantity`.
    pub line_total: Money,
    /// The experiment that gave the price, if the visitor was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<InExperiment>,
}

/// An order, as its customer reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id.
    pub order_id: OrderId,
    /// The status.
    pub status: OrderStatus,
    /// The reason for the rejection, or for which the payment failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectionReason>,
    /// The refund of an order that was undone, while it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundStatus>,
    /// The dispute of the payment, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispute: Option<DisputeStatus>,
    /// The ordered products.
    pub lines: Vec<OrderLine>,
    /// The sum of all lines.
    pub total: Money,
    /// The visitor whom the access token named, by whom prices were assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitor_id: Option<VisitorUuid>,
    /// Incremented by each change.
    pub version: Version,
    /// When it was placed.
    pub created_at: Timestamp,
}

/// An order with its internal fields, which the customer does not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// The customer.
    pub customer_id: UserId,
    /// The customer's payment method.
    pub payment_method: PaymentMethod,
    /// The payment, once the order is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
}

impl PlacedOrder {
    /// The input of the state machines.
    pub fn request(&self) -> OrderRequest {
        let wanted =
            |line: &OrderLine| RequestedLine { product_id: line.product_id, quantity: line.quantity };
        OrderRequest {
            order_id: self.order.order_id,
            customer_id: self.customer_id,
            lines: self.order.lines.iter().map(wanted).collect(),
            total: self.order.total,
            payment_method: self.payment_method.clone(),
        }
    }
}

/// The input of the state machines that process an order. It does not change between executions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequest {
    /// The order's id, from which the names of its executions derive.
    pub order_id: OrderId,
    /// The customer.
    pub customer_id: UserId,
    /// The stock to reserve.
    pub lines: Vec<RequestedLine>,
    /// The amount to pay.
    pub total: Money,
    /// The customer's payment method.
    pub payment_method: PaymentMethod,
}

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderStatus {
    /// The order is being processed.
    Pending,
    /// Stock is reserved and the payment is authorised; the payment is captured next.
    Confirmed,
    /// The order failed. It takes no stock and no money.
    Rejected,
    /// The customer cancelled the order. Stock and money are returned.
    Cancelled,
    /// The payment of a confirmed order was cancelled before it was captured. The stock is returned.
    PaymentFailed,
}

/// A transition of an order's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// `Pending` to `Confirmed`.
    Confirm,
    /// `Pending` to `Rejected`.
    Reject,
    /// `Confirmed` to `Cancelled`.
    Cancel,
    /// `Confirmed` to `PaymentFailed`.
    FailPayment,
}

/// The effect of an allowed transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The status changes.
    Changes,
    /// The order is already in the target status; nothing changes.
    Repeats,
}

impl Transition {
    /// The source status.
    pub fn from(self) -> OrderStatus {
        match self {
            Self::Confirm | Self::Reject => OrderStatus::Pending,
            Self::Cancel | Self::FailPayment => OrderStatus::Confirmed,
        }
    }

    /// The target status.
    pub fn to(self) -> OrderStatus {
        match self {
            Self::Confirm => OrderStatus::Confirmed,
            Self::Reject => OrderStatus::Rejected,
            Self::Cancel => OrderStatus::Cancelled,
            Self::FailPayment => OrderStatus::PaymentFailed,
        }
    }
}

impl OrderStatus {
    /// The effect of a transition in this status; `Conflict` if the transition is not allowed.
    pub fn allows(self, change: Transition) -> Result<Effect, Error> {
        if self == change.from() {
            Ok(Effect::Changes)
        } else if self == change.to() {
            Ok(Effect::Repeats)
        } else {
            let detail = match self {
                Self::Pending => "The order is pending.",
                Self::Confirmed => "The order is confirmed.",
                Self::Rejected => "The order is rejected.",
                Self::Cancelled => "The order is cancelled.",
                Self::PaymentFailed => "The order's payment failed.",
            };
            Err(Error::Conflict { detail })
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::PaymentFailed => "paymentFailed",
        })
    }
}

/// The text is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAStatus;

impl FromStr for OrderStatus {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let all = [Self::Pending, Self::Confirmed, Self::Rejected, Self::Cancelled, Self::PaymentFailed];
        all.into_iter().find(|status| status.to_string() == text).ok_or(NotAStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Id, rejection::Shortage, saga::FailedStep};
    use serde_json::json;

    #[test]
    fn every_status_allows_only_its_own_transitions() {
        use OrderStatus::{Cancelled, Confirmed, PaymentFailed, Pending, Rejected};
        use Transition::{Cancel, Confirm, FailPayment, Reject};
        for (status, change, effect) in [
            (Pending, Confirm, Some(Effect::Changes)),
            (Pending, Reject, Some(Effect::Changes)),
            (Pending, Cancel, None),
            (Pending, FailPayment, None),
            (Confirmed, Confirm, Some(Effect::Repeats)),
            (Confirmed, Reject, None),
            (Confirmed, Cancel, Some(Effect::Changes)),
            (Confirmed, FailPayment, Some(Effect::Changes)),
            (Rejected, Confirm, None),
            (Rejected, Reject, Some(Effect::Repeats)),
            (Rejected, Cancel, None),
            (Cancelled, Confirm, None),
            (Cancelled, Reject, None),
            (Cancelled, Cancel, Some(Effect::Repeats)),
            (Cancelled, FailPayment, None),
            (PaymentFailed, Confirm, None),
            (PaymentFailed, Reject, None),
            (PaymentFailed, Cancel, None),
            (PaymentFailed, FailPayment, Some(Effect::Repeats)),
        ] {
            match (status.allows(change), effect) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected, "{status} {change:?}"),
                (Err(Error::Conflict { detail }), None) => {
                    let name = status.to_string().replace("paymentFailed", "payment failed");
                    assert!(detail.contains(&name), "{detail}");
                }
                (found, expected) => panic!("{status} {change:?}: {found:?}, not {expected:?}"),
            }
        }
        for status in [Pending, Confirmed, Rejected, Cancelled, PaymentFailed] {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), json!(status.to_string()));
        }
    }

    #[test]
    fn reasons_round_trip_through_json() {
        let shortage =
            Shortage { product_id: Id::new(Timestamp::from_unix_milliseconds(1), [4; 10]), available: 2 };
        let failed = FailedStep::new("stock-reserve".to_owned(), "Internal");
        assert_eq!(
            RejectionReason::of("stock-reserve".to_owned(), "Internal", "x"),
            RejectionReason::Failed(failed.clone())
        );
        assert!(matches!(
            RejectionReason::of("s".to_owned(), "Rejected", "no reason"),
            RejectionReason::Failed(_)
        ));
        for (reason, code) in [
            (RejectionReason::OutOfStock { lines: vec![shortage] }, "outOfStock"),
            (RejectionReason::PaymentDeclined { detail: "x".to_owned() }, "paymentDeclined"),
            (RejectionReason::payment_cancelled(), "paymentCancelled"),
            (RejectionReason::Failed(failed), "failed"),
        ] {
            let written = serde_json::to_value(&reason).unwrap();
            assert_eq!(written["code"], code);
            assert_eq!(RejectionReason::of("s".to_owned(), "Rejected", &written.to_string()), reason);
        }
    }
}
