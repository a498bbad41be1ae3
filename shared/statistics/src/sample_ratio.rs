//! Whether the variants have the visitors that their weights promise.

use crate::{
    chi_square::chi_square_above,
    exact::Integer,
    lift::{Degenerate, Fraction},
    settings::AnalysisSettings,
};
use serde::Serialize;

/// Pearson's χ² test of the numbers of visitors. A mismatch means that visitors of one variant are lost or counted twice,
/// so that the variants' visitors differ in more than the price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleRatio {
    /// χ².
    pub statistic: f64,
    /// The probability of a larger χ² if none is lost.
    pub p_value: f64,
    /// Whether the p is below the threshold.
    pub mismatch: bool,
}

/// Compares the visitors of each variant with its weight: `(users, weight)`, with weights in any unit, for 2 to 100
/// variants.
pub fn sample_ratio(variants: &[(u64, u64)], settings: &AnalysisSettings) -> Result<SampleRatio, Degenerate> {
    let total = |part: fn(&(u64, u64)) -> u64| {
        variants.iter().map(part).fold(Integer::from(0_u64), |sum, part| &sum + &Integer::from(part))
    };
    let (users, weights) = (total(|variant| variant.0), total(|variant| variant.1));
    if variants.iter().any(|(_, weight)| *weight == 0) {
        return Err(Degenerate::ZeroWeight);
    }
    if users.is_zero() {
        return Err(Degenerate::NoUsers);
    }
    // (o − e)² / e with e = weight × users / weights.
    let term = |(observed, weight): &(u64, u64)| {
        let expected = &Integer::from(*weight) * &users;
        let difference = &(&Integer::from(*observed) * &weights) - &expected;
        Fraction { above: difference.square(), below: &expected * &weights }.value()
    };
    let statistic = variants.iter().map(term).sum();
    let degrees = u32::try_from(variants.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let p_value = chi_square_above(statistic, degrees);
    Ok(SampleRatio { statistic, p_value, mismatch: p_value < settings.sample_ratio_threshold })
}
