//! Winsorising: values above a quantile count as that quantile, so that one large order does not decide.

use crate::{lift::Degenerate, sums::MeanSums};

/// The variants' sums after winsorising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Winsorised {
    /// The largest value that is left.
    pub cap: i128,
    /// The sums of each variant.
    pub sums: Vec<MeanSums>,
    /// How many values of each variant were above the cap.
    pub capped: Vec<u64>,
}

/// Replaces values above the quantile (1 to 10,000, in 1/10,000) of all variants together. One cap for all: caps of their
/// own would hide a difference between variants. The quantile is the smallest value that at least this share of the
/// visitors does not exceed; visitors with 0 count.
pub fn winsorise(variants: &[Vec<i128>], quantile: u64) -> Result<Winsorised, Degenerate> {
    let mut all = variants.concat();
    all.sort_unstable();
    let count = all.len() as u128;
    let rank = (count * u128::from(quantile)).div_ceil(10_000).clamp(1, count.max(1));
    let index = usize::try_from(rank - 1).unwrap_or(usize::MAX);
    let (Some(cap), Some(largest)) = (all.get(index).copied(), all.last()) else {
        return Err(Degenerate::NoUsers);
    };
    if cap <= 0 && *largest > cap {
        return Err(Degenerate::ZeroCap);
    }
    let capped = |values: &Vec<i128>| values.iter().filter(|value| **value > cap).count() as u64;
    let sums: Option<Vec<MeanSums>> =
        variants.iter().map(|values| sums(values.iter().map(|value| *value.min(&cap)))).collect();
    Ok(Winsorised {
        cap,
        sums: sums.ok_or(Degenerate::ImpossibleSums)?,
        capped: variants.iter().map(capped).collect(),
    })
}

/// `None` if a sum overflows.
fn sums(values: impl Iterator<Item = i128>) -> Option<MeanSums> {
    let mut sums = MeanSums { users: 0, sum: 0, sum_squares: 0 };
    for value in values {
        sums.users += 1;
        sums.sum = sums.sum.checked_add(value)?;
        sums.sum_squares = sums.sum_squares.checked_add(value.checked_mul(value)?)?;
    }
    Some(sums)
}
