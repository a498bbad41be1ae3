//! The statistics of price experiments: what sums over visitors say about variants, and when a variant is decided.
//!
//! Pure functions of exact integer sums: no clock, no randomness, no reading of data. docs/statistics.md has the formulas
//! with their sources, and the format of the program `experiment-statistics`.

mod chance;
mod chi_square;
mod comparison;
mod cuped;
mod exact;
mod inference;
mod lift;
mod normal;
mod reference;
mod results;
mod sample_ratio;
mod sample_size;
mod settings;
mod simulation;
mod student;
mod sums;
mod totals;
mod verdict;
mod winsorise;

// The program and its tests are compiled with the library's unit tests, which the test command runs.
#[cfg(test)]
extern crate self as statistics;

#[cfg(test)]
#[path = "../examples/experiment-statistics/answer.rs"]
mod answer;

#[cfg(test)]
#[path = "../examples/experiment-statistics/members.rs"]
mod members;

pub use chi_square::chi_square_above;
pub use comparison::{AgainstControl, Arm, Comparison, against_control};
pub use cuped::CupedSums;
pub use inference::{FixedHorizon, Posterior, SequentialTest};
pub use lift::{Degenerate, Lift, Sample, Summary};
pub use normal::{normal_above, normal_quantile};
pub use results::{
    CappedResults, ComparedVariant, Computed, CupedResults, MeasuredMetric, MetricKind, MetricResults,
    MetricRole, Results, ResultsPlan, SeriesDay, SeriesVariant, VariantCount, VariantResults,
    WinsorisedResults,
};
pub use sample_ratio::{SampleRatio, sample_ratio};
pub use sample_size::{HorizonKind, Plan, VisitorsNeeded, visitors_needed};
pub use settings::AnalysisSettings;
pub use student::{student_quantile, student_two_sided};
pub use sums::{MeanSums, ProportionSums, RatioSums};
pub use totals::{
    DayTotals, ExactSum, ExcludedVisitors, ExperimentTotals, VariantTotals, WINSORISE_QUANTILE,
};
pub use verdict::{ExperimentVerdict, holm, verdict};
pub use winsorise::{Winsorised, winsorise};
