//! The lift of a treatment over the control, with its standard error by the delta method.

use crate::exact::{Integer, float};
use serde::Serialize;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Degenerate {
    /// A variant has no visitors.
    NoUsers,
    /// A variant has one visitor, and so no variance.
    TooFewUsers,
    /// No data have such sums: a sum of squares is too small for its sum, a count is larger than the visitors, or a sum has
    /// more than 128 bits.
    ImpossibleSums,
    /// The denominator of a ratio metric sums to 0 or less.
    ZeroDenominator,
    /// The control's mean is 0, so that there is nothing to be relative to.
    ZeroBaseline,
    /// All visitors of a variant have the same value.
    ZeroVariance,
    /// A weight is 0.
    ZeroWeight,
    /// Winsorising would make all values 0 or less.
    ZeroCap,
    /// No number of visitors up to 10^15 is enough.
    Unreachable,
}

/// The mean of a metric in a variant; a member is absent where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// For a ratio metric the ratio of the sums.
    pub mean: Option<f64>,
    /// Of one visitor. For a ratio metric by the delta method.
    pub standard_deviation: Option<f64>,
}

/// The difference of a treatment to the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lift {
    /// Visitors of both variants.
    pub users: u64,
    /// The difference of the means, relative to the control's.
    pub lift: f64,
    /// The standard error of `lift`.
    pub standard_error: f64,
    /// The difference of the means.
    pub absolute: f64,
    /// The standard error of `absolute`.
    pub absolute_standard_error: f64,
    /// Welch's degrees of freedom.
    pub degrees_of_freedom: f64,
    /// CUPED's coefficient of the covariate.
    pub theta: Option<f64>,
}

/// The sums of a metric over the visitors of a variant.
pub trait Sample: Sized {
    /// Mean and standard deviation.
    fn summary(&self) -> Summary;

    /// The lift of a treatment.
    fn lift(control: &Self, treatment: &Self) -> Result<Lift, Degenerate>;
}

/// A quotient of integers.
#[derive(Debug, Clone)]
pub(crate) struct Fraction {
    pub(crate) above: Integer,
    /// Above 0.
    pub(crate) below: Integer,
}

impl Fraction {
    pub(crate) fn value(&self) -> f64 {
        self.above.quotient(&self.below)
    }
}

/// Mean and variance of one variant.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub(crate) users: u64,
    pub(crate) mean: Fraction,
    pub(crate) variance: Fraction,
}

impl Moments {
    pub(crate) fn summary(&self) -> Summary {
        Summary { mean: Some(self.mean.value()), standard_deviation: Some(self.variance.value().sqrt()) }
    }

    /// The lift of a treatment whose visitors are independent of the control's.
    pub(crate) fn lift(control: &Self, treatment: &Self) -> Result<Lift, Degenerate> {
        if control.mean.above.is_zero() {
            return Err(Degenerate::ZeroBaseline);
        }
        if control.variance.above.is_zero() || treatment.variance.above.is_zero() {
            return Err(Degenerate::ZeroVariance);
        }
        let difference =
            &(&treatment.mean.above * &control.mean.below) - &(&control.mean.above * &treatment.mean.below);
        let baseline = control.mean.value();
        let ratio = treatment.mean.value() / baseline;
        let errors = SquaredErrors::of(
            (control.variance.value(), control.users),
            (treatment.variance.value(), treatment.users),
        );
        Ok(Lift {
            users: control.users + treatment.users,
            lift: difference.quotient(&(&control.mean.above * &treatment.mean.below)) * baseline.signum(),
            standard_error: (errors.treatment + ratio * ratio * errors.control).sqrt() / baseline.abs(),
            absolute: difference.quotient(&(&control.mean.below * &treatment.mean.below)),
            absolute_standard_error: errors.of_difference(),
            degrees_of_freedom: errors.degrees_of_freedom(),
            theta: None,
        })
    }
}

/// The squared standard errors of the means of two variants.
pub(crate) struct SquaredErrors {
    control: f64,
    treatment: f64,
    control_users: u64,
    treatment_users: u64,
}

impl SquaredErrors {
    /// From the variances and the numbers of visitors.
    pub(crate) fn of(control: (f64, u64), treatment: (f64, u64)) -> Self {
        Self {
            control: control.0 / float(control.1),
            treatment: treatment.0 / float(treatment.1),
            control_users: control.1,
            treatment_users: treatment.1,
        }
    }

    pub(crate) fn of_difference(&self) -> f64 {
        (self.control + self.treatment).sqrt()
    }

    /// Welch and Satterthwaite.
    pub(crate) fn degrees_of_freedom(&self) -> f64 {
        let share = |error: f64, users: u64| {
            let share = error / (self.control + self.treatment);
            share * share / float(users - 1)
        };
        (share(self.control, self.control_users) + share(self.treatment, self.treatment_users)).recip()
    }
}
