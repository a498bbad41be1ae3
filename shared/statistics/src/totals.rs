//! Sums over the visitors of an experiment, as they are counted and kept.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An integer of up to 128 bits. Its JSON is a string, since readers of JSON may round numbers above 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ExactSum(pub i128);

impl Serialize for ExactSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ExactSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Sums over the visitors of a variant who count. Each visitor has these values: the revenue of their orders and the number
/// of these, both without what was cancelled, and the revenue before the experiment; 0 included. Money is in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantTotals {
    /// The variant's key.
    pub variant: String,
    /// The number of visitors.
    pub users: u64,
    /// The number of visitors with an order.
    pub conversions: u64,
    /// Orders.
    pub orders: ExactSum,
    /// Squares of a visitor's orders.
    pub orders_squares: ExactSum,
    /// Revenue.
    pub revenue: ExactSum,
    /// Squares of a visitor's revenue.
    pub revenue_squares: ExactSum,
    /// Products of a visitor's revenue and orders.
    pub revenue_orders: ExactSum,
    /// Revenue before the experiment.
    pub before: ExactSum,
    /// Squares of a visitor's revenue before the experiment.
    pub before_squares: ExactSum,
    /// Products of a visitor's revenue before the experiment and in it.
    pub before_revenue: ExactSum,
    /// Revenue, of which each visitor's counts up to the cap.
    pub capped_revenue: ExactSum,
    /// Squares of a visitor's revenue up to the cap.
    pub capped_revenue_squares: ExactSum,
    /// The number of visitors with more revenue than the cap.
    pub capped: u64,
    /// What was new on each day, in the order of the days.
    pub days: Vec<DayTotals>,
}

/// What was new on a day: the visitors who were first exposed, those who first ordered, and the orders that were placed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayTotals {
    /// The day in UTC, as 2026-11-22.
    pub date: String,
    /// The number of visitors.
    pub users: u64,
    /// The number of visitors with a first order.
    pub conversions: u64,
    /// Orders.
    pub orders: u64,
    /// Their revenue.
    pub revenue: ExactSum,
}

/// Visitors who were exposed and do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExcludedVisitors {
    /// Those who met two variants.
    pub multiple_exposures: u64,
    /// Those who are programs, whatever they met.
    pub bots: u64,
}

/// All that is counted of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentTotals {
    /// Variants with visitors.
    pub variants: Vec<VariantTotals>,
    /// Who is left out.
    pub excluded: ExcludedVisitors,
    /// The cap of a visitor's revenue: the quantile [`WINSORISE_QUANTILE`] over the visitors of all variants.
    pub cap: ExactSum,
}

/// The quantile of winsorising, in 1/10,000: one visitor of a thousand may have their revenue capped.
pub const WINSORISE_QUANTILE: u64 = 9_990;
