//! The standard normal distribution, with all digits in the tails.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The probability above `z`.
pub fn normal_above(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The `z` that has the probability `p` above it, for 0 < p < 1.
pub fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    // Abramowitz and Stegun 26.2.23, to 4.5e-4, then Halley's method.
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = t - above / below;
    for _ in 0..3 {
        let step = (normal_above(z) - p) / density(z);
        z += step / (1.0 - 0.5 * z * step);
    }
    z
}

/// The mean of `max(x − z, 0)` for a standard normal `x`: φ(z) − z Q(z).
pub(crate) fn mean_excess(z: f64) -> f64 {
    if z < 5.0 {
        return density(z) - z * normal_above(z);
    }
    // The difference would lose digits. With Q(z) = φ(z) / (z + k), where k is the continued fraction
    // 1/(z + 2/(z + 3/(z + …))) (Abramowitz and Stegun 26.2.14), it is φ(z) k / (z + k).
    let k = (1..100).rev().fold(0.0, |rest, term| f64::from(term) / (z + rest));
    density(z) * k / (z + k)
}
