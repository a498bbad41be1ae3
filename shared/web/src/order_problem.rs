//! The problem documents for orders that are rejected or not placed.

use crate::problem::{Kind, Problem};
use domain::{Fault, order::Order, rejection::RejectionReason};
use serde_json::json;

/// The problem for a rejected order. Each line without enough stock is a fault.
pub fn order_rejected(order: &Order, reason: &RejectionReason) -> Problem {
    let mut problem = Problem::new(Kind::OrderRejected, reason.to_string());
    if let RejectionReason::OutOfStock { lines } = reason {
        problem.faults = lines
            .iter()
            .filter_map(|short| {
                let index = order.lines.iter().position(|line| line.product_id == short.product_id)?;
                let fault = Fault::here(format!("There are only {} left.", short.available));
                Some(fault.under(&index.to_string()).under("lines"))
            })
            .collect();
    }
    problem
}

/// The problem for an order whose total is another than the expected one, with its lines and its total at the current
/// prices.
pub fn price_changed(order: &Order) -> Problem {
    let mut problem = Problem::new(
        Kind::PriceChanged,
        "The total is another than expectedTotal; nothing was ordered. `lines` and `total` have the current prices.",
    );
    problem.members = Box::new([("lines", json!(order.lines)), ("total", json!(order.total))]);
    problem
}
