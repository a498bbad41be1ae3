//! Student's t distribution, for degrees of freedom from 1 to billions.

use crate::normal::{normal_above, normal_quantile};
use std::f64::consts::PI;

/// Above this number of degrees of freedom Hill's expansion is exact to rounding, and the continued fraction gets slow.
const MANY: f64 = 1e5;

/// The probability of a `t` that is farther from 0 than this one, on either side.
pub fn student_two_sided(t: f64, degrees: f64) -> f64 {
    let t = t.abs();
    if degrees > MANY {
        return 2.0 * normal_above(normal_equivalent(t, degrees));
    }
    // I_x(ν/2, 1/2) with x = ν / (ν + t²). For the tail of few degrees of freedom t² may overflow, so that everything is
    // computed from s = t / √ν.
    let s = t / degrees.sqrt();
    let hypotenuse = libm::hypot(1.0, s);
    let (x, sine) = (hypotenuse.recip() * hypotenuse.recip(), s / hypotenuse);
    let a = 0.5 * degrees;
    let common = (-a * ln_1p_square(s)).exp() * sine * gamma_ratio(a) / PI.sqrt();
    if x < (a + 1.0) / (a + 2.5) {
        common / a * beta_fraction(a, 0.5, x)
    } else {
        1.0 - 2.0 * common * beta_fraction(0.5, a, sine * sine)
    }
}

/// The `t` that has the probability `p` on both sides beyond it, for 0 < p < 1.
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
    // Newton's method for ln p as a function of ln t, which is concave and falls: after the first step it approaches the
    // root from above.
    let mut t = normal_quantile(0.5 * p);
    for _ in 0..100 {
        let found = student_two_sided(t, degrees);
        let slope = 2.0 * t_times_density(t, degrees) / found;
        let step = (found / p).ln() / slope;
        t *= step.exp();
        if step.abs() < 1e-14 {
            break;
        }
    }
    t
}

/// Their product, since the density alone underflows where the tail does not.
fn t_times_density(t: f64, degrees: f64) -> f64 {
    let power = t.ln() - 0.5 * (degrees + 1.0) * ln_1p_square(t / degrees.sqrt());
    power.exp() * gamma_ratio(0.5 * degrees) / (degrees * PI).sqrt()
}

/// The normal deviate with the same tail: algorithm 395 of the ACM (G. W. Hill, 1970).
fn normal_equivalent(t: f64, degrees: f64) -> f64 {
    let a = degrees - 0.5;
    let b = 48.0 * a * a;
    let y = a * ln_1p_square(t / degrees.sqrt());
    let series = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b);
    ((series + y + 3.0) / b + 1.0) * y.sqrt()
}

/// ln(1 + s²), also where s² overflows or is lost beside 1.
fn ln_1p_square(s: f64) -> f64 {
    if s < 1.0 { (s * s).ln_1p() } else { 2.0 * libm::hypot(1.0, s).ln() }
}

/// Γ(a + 1/2) / Γ(a), by Stirling's series of the ratio's logarithm, which does not subtract two large logarithms.
fn gamma_ratio(a: f64) -> f64 {
    let (mut a, mut factor) = (a, 1.0);
    while a < 20.0 {
        factor *= a / (a + 0.5);
        a += 1.0;
    }
    let u = (a * a).recip();
    let series =
        -1.0 / 8.0 + u * (1.0 / 192.0 + u * (-1.0 / 640.0 + u * (17.0 / 14_336.0 - u * (31.0 / 18_432.0))));
    factor * a.sqrt() * (series / a).exp()
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by the modified method of Lentz. It converges
/// fast for x < (a + 1) / (a + b + 2).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let keep = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut above, mut below) = (1.0, keep(1.0 - (a + b) * x / (a + 1.0)).recip());
    let mut fraction = below;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            below = keep(1.0 + term * below).recip();
            above = keep(1.0 + term / above);
            fraction *= below * above;
        }
        if (below * above - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}
