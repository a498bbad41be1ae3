//! Metrics without a covariate: means, proportions and ratios, from sums over visitors.

use crate::{
    exact::Integer,
    lift::{Degenerate, Fraction, Lift, Moments, Sample, Summary},
};

/// Sums of a metric that is a number for each visitor, such as revenue in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanSums {
    /// The number of visitors.
    pub users: u64,
    /// The sum of the values.
    pub sum: i128,
    /// The sum of the squared values.
    pub sum_squares: i128,
}

/// The count of a metric that is yes or no for each visitor, such as conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProportionSums {
    /// The number of visitors.
    pub users: u64,
    /// The number of visitors with a yes.
    pub sum: i128,
}

/// Sums of a metric that is a ratio of two sums, such as revenue by order; both are numbers for each visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatioSums {
    /// The number of visitors.
    pub users: u64,
    /// The sum of the numerators.
    pub sum: i128,
    /// The sum of the squared numerators.
    pub sum_squares: i128,
    /// The sum of the denominators.
    pub denominator_sum: i128,
    /// The sum of the squared denominators.
    pub denominator_sum_squares: i128,
    /// The sum of numerator × denominator.
    pub cross_product: i128,
}

/// `n Σxy − Σx Σy`: the covariance times n (n − 1).
pub(crate) fn scaled_covariance(users: &Integer, cross_product: i128, sums: (i128, i128)) -> Integer {
    &(users * &Integer::from(cross_product)) - &(&Integer::from(sums.0) * &Integer::from(sums.1))
}

/// At least the two visitors that a variance needs.
pub(crate) fn enough(users: u64) -> Result<(), Degenerate> {
    match users {
        0 => Err(Degenerate::NoUsers),
        1 => Err(Degenerate::TooFewUsers),
        _ => Ok(()),
    }
}

/// Whether there may be data with these variances and this covariance.
pub(crate) fn check_covariance(x: &Integer, y: &Integer, both: &Integer) -> Result<(), Degenerate> {
    let is_impossible = x.is_negative() || y.is_negative() || (&(x * y) - &both.square()).is_negative();
    if is_impossible { Err(Degenerate::ImpossibleSums) } else { Ok(()) }
}

/// The mean where there is no standard deviation.
pub(crate) fn mean_alone(sum: i128, count: i128) -> Summary {
    let mean = (count > 0).then(|| Integer::from(sum).quotient(&Integer::from(count)));
    Summary { mean, standard_deviation: None }
}

impl MeanSums {
    fn moments(&self) -> Result<Moments, Degenerate> {
        enough(self.users)?;
        let users = Integer::from(self.users);
        let variance = scaled_covariance(&users, self.sum_squares, (self.sum, self.sum));
        if variance.is_negative() {
            return Err(Degenerate::ImpossibleSums);
        }
        let pairs = &users * &Integer::from(self.users - 1);
        Ok(Moments {
            users: self.users,
            mean: Fraction { above: Integer::from(self.sum), below: users },
            variance: Fraction { above: variance, below: pairs },
        })
    }
}

impl ProportionSums {
    /// The variance is that of the binomial distribution, p (1 − p), without Bessel's correction.
    fn moments(&self) -> Result<Moments, Degenerate> {
        enough(self.users)?;
        if self.sum < 0 || self.sum > i128::from(self.users) {
            return Err(Degenerate::ImpossibleSums);
        }
        let (users, sum) = (Integer::from(self.users), Integer::from(self.sum));
        let variance = Fraction { above: &sum * &(&users - &sum), below: users.square() };
        Ok(Moments { users: self.users, mean: Fraction { above: sum, below: users }, variance })
    }
}

impl RatioSums {
    /// By the delta method the variance is Σ (x − R d)² / (n − 1) divided by the squared mean of d, where R = Σx / Σd. With
    /// Σd for a common denominator it is n² (Σx² (Σd)² − 2 Σxd Σx Σd + Σd² (Σx)²) / ((n − 1) (Σd)⁴).
    fn moments(&self) -> Result<Moments, Degenerate> {
        enough(self.users)?;
        let users = Integer::from(self.users);
        let (sum, below) = (Integer::from(self.sum), Integer::from(self.denominator_sum));
        check_covariance(
            &scaled_covariance(&users, self.sum_squares, (self.sum, self.sum)),
            &scaled_covariance(
                &users,
                self.denominator_sum_squares,
                (self.denominator_sum, self.denominator_sum),
            ),
            &scaled_covariance(&users, self.cross_product, (self.sum, self.denominator_sum)),
        )?;
        if self.denominator_sum <= 0 {
            return Err(Degenerate::ZeroDenominator);
        }
        let cross = &(&Integer::from(self.cross_product) * &sum) * &below;
        let squares = &(&Integer::from(self.sum_squares) * &below.square())
            + &(&Integer::from(self.denominator_sum_squares) * &sum.square());
        let variance = Fraction {
            above: &users.square() * &(&squares - &(&cross + &cross)),
            below: &Integer::from(self.users - 1) * &below.square().square(),
        };
        Ok(Moments { users: self.users, mean: Fraction { above: sum, below }, variance })
    }
}

impl Sample for MeanSums {
    fn summary(&self) -> Summary {
        self.moments()
            .map_or_else(|_| mean_alone(self.sum, i128::from(self.users)), |moments| moments.summary())
    }

    fn lift(control: &Self, treatment: &Self) -> Result<Lift, Degenerate> {
        Moments::lift(&control.moments()?, &treatment.moments()?)
    }
}

impl Sample for ProportionSums {
    fn summary(&self) -> Summary {
        self.moments()
            .map_or_else(|_| mean_alone(self.sum, i128::from(self.users)), |moments| moments.summary())
    }

    fn lift(control: &Self, treatment: &Self) -> Result<Lift, Degenerate> {
        Moments::lift(&control.moments()?, &treatment.moments()?)
    }
}

impl Sample for RatioSums {
    fn summary(&self) -> Summary {
        self.moments()
            .map_or_else(|_| mean_alone(self.sum, self.denominator_sum), |moments| moments.summary())
    }

    fn lift(control: &Self, treatment: &Self) -> Result<Lift, Degenerate> {
        Moments::lift(&control.moments()?, &treatment.moments()?)
    }
}
