//! When a variant is decided.

use crate::settings::AnalysisSettings;
use serde::Serialize;

/// What is known of a treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ExperimentVerdict {
    /// It may be better or worse than the control.
    Undecided,
    /// It is better than the control.
    Better,
    /// It is worse than the control.
    Worse,
}

/// The verdict on a treatment: by its sequential p, adjusted for the number of treatments, and never before each variant
/// has the least number of conversions. Neither the fixed horizon nor the posterior decides: they are wrong too often if
/// one looks more than once.
pub fn verdict(
    lift: f64,
    adjusted_p_value: f64,
    fewest_conversions: u64,
    settings: &AnalysisSettings,
) -> ExperimentVerdict {
    if fewest_conversions < settings.minimum_conversions || adjusted_p_value >= settings.alpha {
        ExperimentVerdict::Undecided
    } else if lift > 0.0 {
        ExperimentVerdict::Better
    } else {
        ExperimentVerdict::Worse
    }
}

/// Holm's adjustment (1979): the probability that any of the adjusted values is below α, without any effect, is at most α.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let (mut highest, mut remaining) = (0.0_f64, p_values.len());
    for index in order {
        #[expect(clippy::cast_precision_loss, reason = "an experiment has few variants")]
        let factor = remaining as f64;
        highest = highest.max((p_values[index] * factor).min(1.0));
        adjusted[index] = highest;
        remaining -= 1;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lift: f64, p_value: f64, conversions: u64) -> ExperimentVerdict {
        verdict(lift, p_value, conversions, &AnalysisSettings::default())
    }

    #[test]
    fn a_small_p_decides_in_the_direction_of_the_lift() {
        assert_eq!(of(0.1, 0.049, 200), ExperimentVerdict::Better);
        assert_eq!(of(-0.1, 0.049, 200), ExperimentVerdict::Worse);
        assert_eq!(of(0.1, 0.05, 200), ExperimentVerdict::Undecided);
        assert_eq!(of(-0.1, 1.0, 1_000_000), ExperimentVerdict::Undecided);
    }

    #[test]
    fn nothing_decides_before_the_least_number_of_conversions() {
        assert_eq!(of(0.1, 0.0, 199), ExperimentVerdict::Undecided);
        let settings = AnalysisSettings { minimum_conversions: 1_000, ..AnalysisSettings::default() };
        assert_eq!(verdict(0.1, 0.0, 999, &settings), ExperimentVerdict::Undecided);
        assert_eq!(verdict(0.1, 0.0, 1_000, &settings), ExperimentVerdict::Better);
    }

    #[test]
    fn alpha_is_that_of_the_settings() {
        let settings = AnalysisSettings { alpha: 0.01, ..AnalysisSettings::default() };
        assert_eq!(verdict(0.1, 0.02, 200, &settings), ExperimentVerdict::Undecided);
        assert_eq!(verdict(0.1, 0.009, 200, &settings), ExperimentVerdict::Better);
    }

    #[test]
    fn holm_multiplies_by_the_hypotheses_that_are_left_and_keeps_the_order() {
        let close = |p_values: &[f64], expected: &[f64]| {
            let adjusted = holm(p_values);
            assert_eq!(adjusted.len(), expected.len());
            for (adjusted, expected) in adjusted.iter().zip(expected) {
                assert!((adjusted - expected).abs() < 1e-15, "{p_values:?}: {adjusted}, not {expected}");
            }
        };
        close(&[], &[]);
        close(&[0.03], &[0.03]);
        close(&[0.04, 0.01, 0.03], &[0.06, 0.03, 0.06]);
        close(&[0.01, 0.011, 0.5, 0.9], &[0.04, 0.04, 1.0, 1.0]);
        close(&[0.2, 0.2], &[0.4, 0.4]);
    }
}
