//! All treatments of an experiment against its control.

use crate::{
    inference::{FixedHorizon, Posterior, SequentialTest},
    lift::{Degenerate, Lift, Sample},
    settings::AnalysisSettings,
    verdict::{ExperimentVerdict, holm, verdict},
};
use serde::Serialize;

/// A variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arm<S> {
    /// The sums of the metric.
    pub sums: S,
    /// The number of visitors who bought.
    pub conversions: u64,
}

/// A treatment against the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The difference of the means, relative to the control's.
    pub lift: f64,
    /// The standard error of `lift`, by the delta method.
    pub standard_error: f64,
    /// The difference of the means.
    pub absolute: f64,
    /// The standard error of `absolute`.
    pub absolute_standard_error: f64,
    /// CUPED's coefficient of the covariate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theta: Option<f64>,
    /// Right for one look, at a time that was fixed before.
    pub fixed: FixedHorizon,
    /// Right however often one looks.
    pub sequential: SequentialTest,
    /// The belief in the lift.
    pub bayesian: Posterior,
    /// The sequential p, adjusted by Holm for the number of treatments.
    pub adjusted_p_value: f64,
    /// What is decided.
    pub verdict: ExperimentVerdict,
}

/// A comparison, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AgainstControl {
    /// There is one.
    Compared(Comparison),
    /// There is none.
    Refused {
        /// Why.
        reason: Degenerate,
    },
}

/// Compares each treatment with the control, which is the first of the arms. A treatment that cannot be compared counts as
/// one with a p of 1 in Holm's adjustment, since it may be compared at the next look.
pub fn against_control<S: Sample>(arms: &[Arm<S>], settings: &AnalysisSettings) -> Vec<AgainstControl> {
    let Some((control, treatments)) = arms.split_first() else { return Vec::new() };
    let lifts: Vec<Result<Lift, Degenerate>> =
        treatments.iter().map(|treatment| S::lift(&control.sums, &treatment.sums)).collect();
    let p_value = |lift: &Result<Lift, Degenerate>| {
        lift.as_ref().map_or(1.0, |lift| SequentialTest::of(lift, settings).p_value)
    };
    let adjusted = holm(&lifts.iter().map(p_value).collect::<Vec<f64>>());
    let fewest = arms.iter().map(|arm| arm.conversions).min().unwrap_or(0);
    let compare = |(lift, adjusted_p_value): (Result<Lift, Degenerate>, f64)| match lift {
        Err(reason) => AgainstControl::Refused { reason },
        Ok(lift) => AgainstControl::Compared(Comparison {
            lift: lift.lift,
            standard_error: lift.standard_error,
            absolute: lift.absolute,
            absolute_standard_error: lift.absolute_standard_error,
            theta: lift.theta,
            fixed: FixedHorizon::of(&lift, settings),
            sequential: SequentialTest::of(&lift, settings),
            bayesian: Posterior::of(&lift, settings),
            adjusted_p_value,
            verdict: verdict(lift.lift, adjusted_p_value, fewest, settings),
        }),
    };
    lifts.into_iter().zip(adjusted).map(compare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sums::ProportionSums;

    fn compare(counts: &[(u64, i128)]) -> Vec<AgainstControl> {
        let arm = |(users, sum): &(u64, i128)| Arm {
            sums: ProportionSums { users: *users, sum: *sum },
            conversions: u64::try_from(*sum).unwrap(),
        };
        against_control(&counts.iter().map(arm).collect::<Vec<_>>(), &AnalysisSettings::default())
    }

    fn compared(answer: &AgainstControl) -> Comparison {
        let AgainstControl::Compared(comparison) = answer else { panic!("{answer:?}") };
        *comparison
    }

    #[test]
    fn a_treatment_that_cannot_be_compared_counts_in_the_adjustment() {
        let found = compare(&[(5_000, 500), (5_000, 600), (0, 0), (0, 0)]);
        assert_eq!(found[1], AgainstControl::Refused { reason: Degenerate::NoUsers });
        let first = compared(&found[0]);
        assert!((first.adjusted_p_value - 3.0 * first.sequential.p_value).abs() < 1e-12, "{first:?}");
        assert!(first.adjusted_p_value < 1.0, "{first:?}");
    }

    #[test]
    fn nothing_is_decided_before_every_variant_has_its_conversions() {
        let verdict = |sum: i128| compared(&compare(&[(5_000, 500), (5_000, 800), (5_000, sum)])[0]).verdict;
        assert_eq!(verdict(200), ExperimentVerdict::Better);
        assert_eq!(verdict(199), ExperimentVerdict::Undecided);
    }

    #[test]
    fn without_a_treatment_there_is_no_comparison() {
        assert_eq!(compare(&[]), []);
        assert_eq!(compare(&[(10, 3)]), []);
    }
}
