//! CUPED: a mean, less what a covariate from before the experiment explains of it (Deng, Xu, Kohavi and Walker 2013).

use crate::{
    exact::{Integer, float},
    lift::{Degenerate, Fraction, Lift, Sample, SquaredErrors, Summary},
    sums::{MeanSums, check_covariance, enough, scaled_covariance},
};

/// Sums of a metric and of its covariate, such as revenue during the experiment and before it; both are numbers for each
/// visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CupedSums {
    /// The number of visitors.
    pub users: u64,
    /// The sum of the metric.
    pub sum: i128,
    /// The sum of its squares.
    pub sum_squares: i128,
    /// The sum of the covariate.
    pub covariate_sum: i128,
    /// The sum of its squares.
    pub covariate_sum_squares: i128,
    /// The sum of metric × covariate.
    pub cross_product: i128,
}

/// Variances and covariance of one variant, times n (n − 1).
struct Scaled {
    metric: Integer,
    covariate: Integer,
    both: Integer,
}

impl Scaled {
    fn of(sums: &CupedSums) -> Result<Self, Degenerate> {
        enough(sums.users)?;
        let users = Integer::from(sums.users);
        let scaled = Self::of_any(&users, sums);
        check_covariance(&scaled.metric, &scaled.covariate, &scaled.both)?;
        Ok(scaled)
    }

    fn of_any(users: &Integer, sums: &CupedSums) -> Self {
        Self {
            metric: scaled_covariance(users, sums.sum_squares, (sums.sum, sums.sum)),
            covariate: scaled_covariance(
                users,
                sums.covariate_sum_squares,
                (sums.covariate_sum, sums.covariate_sum),
            ),
            both: scaled_covariance(users, sums.cross_product, (sums.sum, sums.covariate_sum)),
        }
    }

    /// The variance of a × metric − b × covariate, times n (n − 1).
    fn combined(&self, a: &Integer, b: &Integer) -> Integer {
        let mixed = &(&self.both * a) * b;
        let squares = &(&self.metric * &a.square()) + &(&self.covariate * &b.square());
        &squares - &(&mixed + &mixed)
    }
}

/// θ = cov / var of the covariate, over the visitors of both variants; 0 if the covariate does not vary.
fn theta(control: &CupedSums, treatment: &CupedSums) -> Result<Fraction, Degenerate> {
    let sum = |a: i128, b: i128| a.checked_add(b).ok_or(Degenerate::ImpossibleSums);
    let joint = CupedSums {
        users: 0,
        sum: sum(control.sum, treatment.sum)?,
        sum_squares: sum(control.sum_squares, treatment.sum_squares)?,
        covariate_sum: sum(control.covariate_sum, treatment.covariate_sum)?,
        covariate_sum_squares: sum(control.covariate_sum_squares, treatment.covariate_sum_squares)?,
        cross_product: sum(control.cross_product, treatment.cross_product)?,
    };
    let users = &Integer::from(control.users) + &Integer::from(treatment.users);
    let scaled = Scaled::of_any(&users, &joint);
    if scaled.covariate.is_zero() {
        return Ok(Fraction { above: Integer::from(0_u64), below: Integer::from(1_u64) });
    }
    Ok(Fraction { above: scaled.both, below: scaled.covariate })
}

/// Treatment's mean − control's, as a quotient of integers.
fn difference(control: (i128, u64), treatment: (i128, u64)) -> Integer {
    &(&Integer::from(treatment.0) * &Integer::from(control.1))
        - &(&Integer::from(control.0) * &Integer::from(treatment.1))
}

impl Sample for CupedSums {
    /// Of the metric alone: the adjusted mean depends on the variant that it is compared with.
    fn summary(&self) -> Summary {
        MeanSums { users: self.users, sum: self.sum, sum_squares: self.sum_squares }.summary()
    }

    fn lift(control: &Self, treatment: &Self) -> Result<Lift, Degenerate> {
        let (control_scaled, treatment_scaled) = (Scaled::of(control)?, Scaled::of(treatment)?);
        let theta = theta(control, treatment)?;
        if control.sum == 0 {
            return Err(Degenerate::ZeroBaseline);
        }
        let pairs = |sums: &Self| &Integer::from(sums.users) * &Integer::from(sums.users - 1);
        let adjusted = |sums: &Self, scaled: &Scaled| {
            let above = scaled.combined(&theta.below, &theta.above);
            Fraction { above, below: &theta.below.square() * &pairs(sums) }
        };
        let control_variance = adjusted(control, &control_scaled);
        let treatment_variance = adjusted(treatment, &treatment_scaled);
        if control_variance.above.is_zero() || treatment_variance.above.is_zero() {
            return Err(Degenerate::ZeroVariance);
        }
        let errors = SquaredErrors::of(
            (control_variance.value(), control.users),
            (treatment_variance.value(), treatment.users),
        );
        let (control_users, treatment_users) = (Integer::from(control.users), Integer::from(treatment.users));
        let absolute = &(&theta.below
            * &difference((control.sum, control.users), (treatment.sum, treatment.users)))
            - &(&theta.above
                * &difference(
                    (control.covariate_sum, control.users),
                    (treatment.covariate_sum, treatment.users),
                ));
        let baseline = Integer::from(control.sum);
        let sign = if baseline.is_negative() { -1.0 } else { 1.0 };
        // The lift depends on the control's mean in two ways: its gradient is (−r, θ) / mean with r = the ratio of the
        // means, instead of (−1, θ) / mean.
        let ratio = Fraction {
            above: &Integer::from(treatment.sum) * &control_users,
            below: &treatment_users * &baseline,
        };
        let control_part = Fraction {
            above: control_scaled.combined(&(&ratio.above * &theta.below), &(&theta.above * &ratio.below)),
            below: &(&ratio.below * &theta.below).square() * &pairs(control),
        };
        let squared_error =
            control_part.value() / float(control.users) + treatment_variance.value() / float(treatment.users);
        Ok(Lift {
            users: control.users + treatment.users,
            lift: absolute.quotient(&(&(&theta.below * &treatment_users) * &baseline)) * sign,
            standard_error: squared_error.sqrt() / baseline.quotient(&control_users).abs(),
            absolute: absolute.quotient(&(&theta.below * &(&control_users * &treatment_users))),
            absolute_standard_error: errors.of_difference(),
            degrees_of_freedom: errors.degrees_of_freedom(),
            theta: Some(theta.value()),
        })
    }
}
