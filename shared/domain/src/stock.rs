//! Stock: how many units of a product can be sold, and how its seller changes that.
//!
//! Stock is no part of the product: each order changes it, and an order must not make a seller's change of the product
//! stale.

use crate::{
    Error, Fault, Input, Timestamp, Version,
    input::{Checked, Members, integer},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The highest stock that a seller can set.
pub const HIGHEST_STOCK: i64 = 1_000_000_000;

/// The number of units that can be sold: 0 to [`HIGHEST_STOCK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stock(i64);

impl Stock {
    /// `None` outside 0 to [`HIGHEST_STOCK`].
    pub fn new(stock: i64) -> Option<Self> {
        (0..=HIGHEST_STOCK).contains(&stock).then_some(Self(stock))
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    pub(crate) fn from_value(value: &Value) -> Checked<Self> {
        integer(value, 0, HIGHEST_STOCK).map(Self)
    }
}

/// The stock of a product and its latest change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    /// The number of units that can be sold.
    pub stock: Stock,
    /// Incremented by each change, an order's or the seller's.
    pub version: Version,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

impl StockLevel {
    /// The stock of a new product.
    pub fn new(stock: Stock, now: Timestamp) -> Self {
        Self { stock, version: 1, updated_at: now }
    }
}

/// A seller's change of a product's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockChange {
    /// Sets the stock, whatever it is: the seller has counted.
    Set(Stock),
    /// Adds this number of units, or removes them if it is negative.
    Add(i64),
}

impl Input for StockChange {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

impl StockChange {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        if members.has("stock") == members.has("delta") {
            members.fault(Fault::here("must have either stock or delta"));
        }
        let stock = members.optional("stock", |value| Stock::from_value(&value).map(Self::Set));
        let delta =
            members.optional("delta", |value| integer(&value, -HIGHEST_STOCK, HIGHEST_STOCK).map(Self::Add));
        members.finish(|| stock.or(delta))
    }

    /// The lowest and the highest stock that allow the change.
    pub fn bounds(self) -> (i64, i64) {
        match self {
            Self::Set(_) => (0, i64::MAX),
            Self::Add(units) if units < 0 => (-units, i64::MAX),
            Self::Add(units) => (0, HIGHEST_STOCK - units),
        }
    }

    /// Checks that a retry of the request is safe: adding twice is not what adding once is, so it needs an idempotency
    /// key.
    pub fn require_key(self, has_key: bool) -> Result<(), Error> {
        match self {
            Self::Add(_) if !has_key => {
                Err(Error::invalid(Fault::header("Idempotency-Key", "is required for a delta")))
            }
            Self::Add(_) | Self::Set(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stock_has_two_bounds() {
        for (stock, is_valid) in [(-1, false), (0, true), (HIGHEST_STOCK, true), (HIGHEST_STOCK + 1, false)] {
            assert_eq!(Stock::new(stock).map(Stock::get), is_valid.then_some(stock), "{stock}");
        }
    }

    #[test]
    fn a_change_sets_or_adds() {
        assert_eq!(StockChange::from_json(json!({"stock": 0})), Ok(StockChange::Set(Stock(0))));
        assert_eq!(StockChange::from_json(json!({"delta": -3})), Ok(StockChange::Add(-3)));
    }

    #[test]
    fn a_change_names_all_its_faults() {
        let cases = [
            (json!({}), vec![""]),
            (json!({"stock": 1, "delta": 1}), vec![""]),
            (json!({"stock": -1, "delta": 0.5, "units": 1}), vec!["", "/stock", "/delta", "/units"]),
            (json!({"stock": null}), vec!["/stock"]),
            (json!({"delta": HIGHEST_STOCK + 1}), vec!["/delta"]),
            (json!([]), vec![""]),
        ];
        for (body, pointers) in cases {
            let Err(Error::Invalid(faults)) = StockChange::from_json(body.clone()) else { panic!("{body}") };
            let found: Vec<_> = faults.into_iter().map(|fault| fault.location).collect();
            let expected: Vec<_> =
                pointers.into_iter().map(|at| crate::FaultLocation::Body(at.into())).collect();
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn a_change_leaves_no_less_than_none_and_no_more_than_the_highest() {
        assert_eq!(StockChange::Set(Stock(7)).bounds().0, 0);
        assert_eq!(StockChange::Add(-7).bounds(), (7, i64::MAX));
        assert_eq!(StockChange::Add(7).bounds(), (0, HIGHEST_STOCK - 7));
    }

    #[test]
    fn only_a_delta_needs_a_key() {
        assert!(matches!(StockChange::Add(1).require_key(false), Err(Error::Invalid(_))));
        assert_eq!(StockChange::Add(1).require_key(true), Ok(()));
        assert_eq!(StockChange::Set(Stock(7)).require_key(false), Ok(()));
    }
}
