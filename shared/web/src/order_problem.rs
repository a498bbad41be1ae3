//! The problem document for a rejected order.

use crate::problem::{Kind, Problem};
use domain::{Fault, order::Order, rejection::Reason};

/// The problem for a rejected order. Each line without enough stock is a fault.
pub fn order_rejected(order: &Order, reason: &Reason) -> Problem {
    let mut problem = Problem::new(Kind::OrderRejected, reason.to_string());
    if let Reason::OutOfStock { lines } = reason {
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
