//! What a lift and its standard error say: at a fixed horizon, at any time, and as a belief.

use crate::{
    exact::float,
    lift::Lift,
    normal::{mean_excess, normal_above, normal_quantile},
    settings::AnalysisSettings,
    student::{student_quantile, student_two_sided},
};
use serde::Serialize;

/// Welch's t test. Right for one look, at a time that was fixed before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FixedHorizon {
    /// Welch's degrees of freedom.
    pub degrees_of_freedom: f64,
    /// The interval of the lift.
    pub interval: [f64; 2],
    /// The probability, without an effect, of a lift that is farther from 0.
    pub p_value: f64,
}

/// The asymptotic confidence sequence of Waudby-Smith et al. (arXiv 2103.06476v7): right however often one looks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SequentialTest {
    /// The interval of the lift.
    pub interval: [f64; 2],
    /// Without an effect, the probability that it is ever below α is at most α.
    pub p_value: f64,
}

/// The belief in the lift after the experiment, which is normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Posterior {
    /// The probability that the treatment is better.
    pub chance_to_beat: f64,
    /// The interval of the lift.
    pub interval: [f64; 2],
    /// The mean lift that is lost by keeping the control, 0 where the control is better.
    pub expected_loss_of_control: f64,
    /// The mean lift that is lost by taking the treatment, 0 where the treatment is better.
    pub expected_loss_of_treatment: f64,
}

fn around(centre: f64, half_width: f64) -> [f64; 2] {
    [centre - half_width, centre + half_width]
}

impl FixedHorizon {
    /// Two-sided, for the relative lift.
    pub fn of(lift: &Lift, settings: &AnalysisSettings) -> Self {
        let degrees_of_freedom = lift.degrees_of_freedom;
        let quantile = student_quantile(settings.alpha, degrees_of_freedom);
        Self {
            degrees_of_freedom,
            interval: around(lift.lift, quantile * lift.standard_error),
            p_value: student_two_sided(lift.lift / lift.standard_error, degrees_of_freedom),
        }
    }
}

/// The half width of the sequential interval, in standard errors (equation 9, for a variance of n × the squared error).
pub(crate) fn sequential_width(users: f64, settings: &AnalysisSettings) -> f64 {
    let information = users * settings.rho_squared();
    let log = 0.5 * information.ln_1p() - settings.alpha.ln();
    (2.0 * (1.0 + information.recip()) * log).sqrt()
}

impl SequentialTest {
    /// Two-sided, for the relative lift, by the visitors of both variants.
    pub fn of(lift: &Lift, settings: &AnalysisSettings) -> Self {
        let users = float(lift.users);
        let information = users * settings.rho_squared();
        let z = lift.lift / lift.standard_error;
        // The inverse of the mixture's e-value (equation 155).
        let log = 0.5 * information.ln_1p() - 0.5 * z * z * information / (1.0 + information);
        Self {
            interval: around(lift.lift, sequential_width(users, settings) * lift.standard_error),
            p_value: log.exp().min(1.0),
        }
    }
}

impl Posterior {
    /// From the normal prior around 0, or the flat one.
    pub fn of(lift: &Lift, settings: &AnalysisSettings) -> Self {
        let data = lift.standard_error * lift.standard_error;
        // The share of the data in the posterior: 1 for a flat prior.
        let share =
            settings.prior_standard_deviation.map_or(1.0, |prior| (1.0 + data / (prior * prior)).recip());
        let (mean, deviation) = (lift.lift * share, lift.standard_error * share.sqrt());
        let z = mean / deviation;
        Self {
            chance_to_beat: normal_above(-z),
            interval: around(mean, normal_quantile(0.5 * settings.alpha) * deviation),
            expected_loss_of_control: deviation * mean_excess(-z),
            expected_loss_of_treatment: deviation * mean_excess(z),
        }
    }
}
