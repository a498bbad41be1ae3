//! How many visitors it takes to find a lift.

use crate::{
    exact::float,
    inference::sequential_width,
    lift::Degenerate,
    normal::{normal_above, normal_quantile},
    settings::AnalysisSettings,
};
use serde::{Deserialize, Serialize};

/// Which interval has to exclude 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HorizonKind {
    /// The interval of an analysis with one look at the end.
    Fixed,
    /// The always-valid one.
    Sequential,
}

/// What is to be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The visitors of control and treatment so far.
    pub users: u64,
    /// The squared standard error of the lift, times the visitors that it was measured with.
    pub variance: f64,
    /// The lift that is to be found.
    pub lift: f64,
    /// The probability of finding it, if it is there; above α, below 1.
    pub power: f64,
    /// Which interval has to exclude 0.
    pub horizon: HorizonKind,
}

/// The visitors of control and treatment together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VisitorsNeeded {
    /// From the start.
    pub users: u64,
    /// Those still to come.
    pub additional_users: u64,
}

const MOST: u64 = 1_000_000_000_000_000;

impl Plan {
    /// A plan without data yet: halves of the visitors in each variant, the same standard deviation in both, and a standard
    /// error of the lift by the delta method.
    pub fn before(mean: f64, deviation: f64, lift: f64, power: f64, horizon: HorizonKind) -> Self {
        let relative = deviation / mean;
        let variance = 2.0 * relative * relative * (1.0 + (1.0 + lift) * (1.0 + lift));
        Self { users: 0, variance, lift, power, horizon }
    }

    /// A plan from the lift's standard error after this number of visitors.
    pub fn running(users: u64, standard_error: f64, lift: f64, power: f64, horizon: HorizonKind) -> Self {
        let variance = standard_error * standard_error * float(users);
        Self { users, variance, lift, power, horizon }
    }

    /// The probability that the interval excludes 0 after this number of visitors.
    fn power_at(&self, users: u64, settings: &AnalysisSettings) -> f64 {
        let width = match self.horizon {
            HorizonKind::Fixed => normal_quantile(0.5 * settings.alpha),
            HorizonKind::Sequential => sequential_width(float(users), settings),
        };
        let errors = self.lift.abs() / (self.variance / float(users)).sqrt();
        normal_above(width - errors) + normal_above(width + errors)
    }
}

/// The smallest number of visitors of control and treatment together with which the lift is found with the probability
/// `power`; those there are already, if they are enough.
pub fn visitors_needed(plan: &Plan, settings: &AnalysisSettings) -> Result<VisitorsNeeded, Degenerate> {
    let is_enough = |users: u64| plan.power_at(users, settings) >= plan.power;
    let (mut low, mut high) = (0, plan.users.max(2));
    while !is_enough(high) {
        if high > MOST {
            return Err(Degenerate::Unreachable);
        }
        (low, high) = (high, high * 2);
    }
    if low == 0 {
        low = plan.users.max(2) - 1;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        (low, high) = if is_enough(middle) { (low, middle) } else { (middle, high) };
    }
    Ok(VisitorsNeeded { users: high, additional_users: high - plan.users })
}
