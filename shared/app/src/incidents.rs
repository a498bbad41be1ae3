//! Log lines about single orders. A metric filter of the template counts those that a person has to look at.

use crate::context::Context;
use domain::id::OrderId;
use serde::Serialize;

/// An event that a person has to look at. docs/operations.md says what to do for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Incident {
    /// The payment of a confirmed order was cancelled before it was captured.
    PaymentFailed,
    /// The sweep has given up settling an order.
    OrderStuck,
    /// The provider refuses to refund the payment of an order that was undone.
    RefundRefused,
    /// A customer disputes a payment, or has won the dispute.
    PaymentDisputed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<Incident>,
    order_id: OrderId,
    cause: &'a str,
}

impl Context {
    /// Writes a log line that raises the alarm on incidents. It may be written more than once for one event.
    pub fn report(&self, incident: Incident, order_id: OrderId, cause: &str) {
        self.print(&Line { level: "error", incident: Some(incident), order_id, cause });
    }

    /// Writes a log line about an order that raises no alarm.
    pub fn warn(&self, order_id: OrderId, cause: &str) {
        self.print(&Line { level: "warn", incident: None, order_id, cause });
    }

    fn print(&self, line: &Line<'_>) {
        // Serialization cannot fail for this type.
        if let Ok(line) = serde_json::to_string(line) {
            self.write_line(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_member_that_the_metric_filter_counts() {
        let order_id = domain::id::Id::new(domain::Timestamp::from_unix_milliseconds(0), [1; 10]);
        let line = Line { level: "error", incident: Some(Incident::OrderStuck), order_id, cause: "x" };
        let line = serde_json::to_value(&line).unwrap();
        assert_eq!((&line["incident"], &line["cause"]), (&"orderStuck".into(), &"x".into()));
    }
}
