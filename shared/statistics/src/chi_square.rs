//! The χ² distribution of whole degrees of freedom, in closed form: all terms are positive, so that no digit is lost.

use std::f64::consts::PI;

/// The probability above `statistic`, for up to 100 degrees of freedom (Abramowitz and Stegun 26.4.4 and 26.4.5).
pub fn chi_square_above(statistic: f64, degrees: u32) -> f64 {
    let half = 0.5 * statistic;
    let is_odd = degrees % 2 == 1;
    let (mut term, mut next) = if is_odd { (2.0 * (half / PI).sqrt(), 1.5) } else { (1.0, 1.0) };
    let mut sum = 0.0;
    for _ in 0..degrees / 2 {
        sum += term;
        term *= half / next;
        next += 1.0;
    }
    // In two halves: e^−y underflows earlier than its product with the sum.
    let root = (-0.5 * half).exp();
    let normal = if is_odd { libm::erfc(half.sqrt()) } else { 0.0 };
    normal + sum * root * root
}
