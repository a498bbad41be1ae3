//! What an analysis may choose.

use serde::{Deserialize, Serialize};

/// The settings of an analysis. Fixed before an experiment starts: an interval is always valid for one tuning only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AnalysisSettings {
    /// The probability of a wrong verdict, and 1 − the coverage of intervals; above 0, below 1.
    pub alpha: f64,
    /// The number of visitors of two variants at which the sequential interval is tightest: N*. Above 0.
    pub sequential_tuning: f64,
    /// A p below it is a sample ratio mismatch.
    pub sample_ratio_threshold: f64,
    /// Without so many conversions in each variant there is no verdict: the normal approximation is not good enough yet.
    pub minimum_conversions: u64,
    /// The standard deviation of lifts that are believed in before the experiment, around 0; absent for a flat prior.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_standard_deviation: Option<f64>,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            sequential_tuning: 5_000.0,
            sample_ratio_threshold: 0.001,
            minimum_conversions: 200,
            prior_standard_deviation: None,
        }
    }
}

impl AnalysisSettings {
    /// ρ², for which the sequential interval is tightest at N* visitors (Waudby-Smith et al., arXiv 2103.06476v7, equation
    /// 161).
    pub(crate) fn rho_squared(&self) -> f64 {
        let log = -2.0 * self.alpha.ln();
        (log + log.ln_1p()) / self.sequential_tuning
    }
}
