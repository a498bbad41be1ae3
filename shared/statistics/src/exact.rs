//! Integers without bounds, for differences of products.
//!
//! `n Σx² − (Σx)²` loses all digits in floating point if the values are large and vary little, and does not fit into an
//! `i128` for the revenue of a billion visitors. Computed exactly, a variance that is 0 is 0.

use std::{
    borrow::Cow,
    cmp::Ordering,
    ops::{Add, Mul, Sub},
};

/// An integer: of 128 bits where they are enough, which makes most of them, else of any size.
#[derive(Debug, Clone)]
pub(crate) enum Integer {
    Small(i128),
    Large(Limbs),
}

/// A sign and a magnitude, the least significant limb first, without zeros at the end.
#[derive(Debug, Clone)]
pub(crate) struct Limbs {
    is_negative: bool,
    limbs: Vec<u64>,
}

/// The nearest floating-point number.
pub(crate) fn float(integer: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded to the nearest: 1e-16 relative")]
    let float = integer as f64;
    float
}

impl Integer {
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Small(value) => *value == 0,
            Self::Large(large) => large.limbs.is_empty(),
        }
    }

    pub(crate) fn is_negative(&self) -> bool {
        match self {
            Self::Small(value) => *value < 0,
            Self::Large(large) => large.is_negative,
        }
    }

    pub(crate) fn square(&self) -> Self {
        self * self
    }

    /// The quotient, to 4e-16 relative, also if both are too large for floating point. The divisor is not 0.
    pub(crate) fn quotient(&self, divisor: &Self) -> f64 {
        let ((above, above_exponent), (below, below_exponent)) = (self.scaled(), divisor.scaled());
        libm::scalbn(above / below, above_exponent - below_exponent)
    }

    /// `(m, e)` with a value of m × 2^e.
    fn scaled(&self) -> (f64, i32) {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "rounded to the nearest")]
            Self::Small(value) => (*value as f64, 0),
            Self::Large(large) => large.scaled(),
        }
    }

    fn limbs(&self) -> Cow<'_, Limbs> {
        match self {
            Self::Small(value) => Cow::Owned(Limbs::from(*value)),
            Self::Large(large) => Cow::Borrowed(large),
        }
    }

    fn of_both(
        &self,
        other: &Self,
        small: impl Fn(i128, i128) -> Option<i128>,
        large: impl Fn(&Limbs, &Limbs) -> Limbs,
    ) -> Self {
        if let (Self::Small(a), Self::Small(b)) = (self, other)
            && let Some(value) = small(*a, *b)
        {
            return Self::Small(value);
        }
        Self::Large(large(&self.limbs(), &other.limbs()))
    }
}

impl From<i128> for Integer {
    fn from(value: i128) -> Self {
        Self::Small(value)
    }
}

impl From<u64> for Integer {
    fn from(value: u64) -> Self {
        Self::Small(i128::from(value))
    }
}

impl Mul for &Integer {
    type Output = Integer;

    fn mul(self, other: Self) -> Integer {
        self.of_both(other, i128::checked_mul, Limbs::product)
    }
}

impl Add for &Integer {
    type Output = Integer;

    fn add(self, other: Self) -> Integer {
        self.of_both(other, i128::checked_add, |a, b| a.plus(b, b.is_negative))
    }
}

impl Sub for &Integer {
    type Output = Integer;

    fn sub(self, other: Self) -> Integer {
        self.of_both(other, i128::checked_sub, |a, b| a.plus(b, !b.is_negative))
    }
}

impl From<i128> for Limbs {
    fn from(value: i128) -> Self {
        let magnitude = value.unsigned_abs();
        #[expect(clippy::cast_possible_truncation, reason = "the low limb")]
        let limbs = vec![magnitude as u64, (magnitude >> 64) as u64];
        Self::new(value < 0, limbs)
    }
}

impl Limbs {
    fn new(is_negative: bool, mut limbs: Vec<u64>) -> Self {
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Self { is_negative: is_negative && !limbs.is_empty(), limbs }
    }

    /// From the two highest limbs, which have 65 bits at least.
    fn scaled(&self) -> (f64, i32) {
        let limb = |from_end: usize| {
            self.limbs.len().checked_sub(from_end).map_or(0, |index| u128::from(self.limbs[index]))
        };
        #[expect(clippy::cast_precision_loss, reason = "rounded to the nearest")]
        let magnitude = (limb(1) << 64 | limb(2)) as f64;
        #[expect(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "a few dozen limbs")]
        let exponent = 64 * (self.limbs.len() as i32 - 2);
        (if self.is_negative { -magnitude } else { magnitude }, exponent)
    }

    fn plus(&self, other: &Self, other_is_negative: bool) -> Self {
        if self.is_negative == other_is_negative {
            return Self::new(self.is_negative, sum(&self.limbs, &other.limbs));
        }
        match compare(&self.limbs, &other.limbs) {
            Ordering::Less => Self::new(other_is_negative, difference(&other.limbs, &self.limbs)),
            _ => Self::new(self.is_negative, difference(&self.limbs, &other.limbs)),
        }
    }

    fn product(&self, other: &Self) -> Self {
        let mut limbs = vec![0; self.limbs.len() + other.limbs.len()];
        for (row, a) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            for (column, b) in other.limbs.iter().enumerate() {
                // At most (2^64 − 1)² + 2 (2^64 − 1) = 2^128 − 1.
                let product = u128::from(*a) * u128::from(*b) + u128::from(limbs[row + column]) + carry;
                #[expect(clippy::cast_possible_truncation, reason = "the low limb")]
                let low = product as u64;
                limbs[row + column] = low;
                carry = product >> 64;
            }
            #[expect(clippy::cast_possible_truncation, reason = "a carry is one limb")]
            let carry = carry as u64;
            limbs[row + other.limbs.len()] = carry;
        }
        Self::new(self.is_negative != other.is_negative, limbs)
    }
}

fn compare(a: &[u64], b: &[u64]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn sum(a: &[u64], b: &[u64]) -> Vec<u64> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let mut limbs = Vec::with_capacity(long.len() + 1);
    let mut carry = false;
    for (index, limb) in long.iter().enumerate() {
        let (sum, first) = limb.overflowing_add(short.get(index).copied().unwrap_or(0));
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        carry = first || second;
        limbs.push(sum);
    }
    limbs.push(u64::from(carry));
    limbs
}

/// `a − b`, where `a` is not less.
fn difference(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut borrow = false;
    let limb = |(index, limb): (usize, &u64)| {
        let (difference, first) = limb.overflowing_sub(b.get(index).copied().unwrap_or(0));
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        borrow = first || second;
        difference
    };
    a.iter().enumerate().map(limb).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn integer(chance: &mut Chance) -> i128 {
        let bits = chance.below(127);
        let magnitude = (u128::from(chance.next()) << 64 | u128::from(chance.next())) >> (127 - bits) >> 1;
        let magnitude = i128::try_from(magnitude).unwrap();
        if chance.below(2) == 0 { magnitude } else { -magnitude }
    }

    /// Also computes with limbs what fits into 128 bits.
    fn both(value: i128) -> [Integer; 2] {
        [Integer::Small(value), Integer::Large(Limbs::from(value))]
    }

    fn assert_is(found: &Integer, expected: i128) {
        for expected in both(expected) {
            assert!((found - &expected).is_zero(), "{found:?}, not {expected:?}");
        }
        assert_eq!(found.is_negative(), expected < 0, "{found:?}");
        assert_eq!(found.is_zero(), expected == 0, "{found:?}");
    }

    #[test]
    fn sums_and_differences_are_those_of_i128() {
        let mut chance = Chance::seeded(1);
        for _ in 0..20_000 {
            let (a, b) = (integer(&mut chance) / 2, integer(&mut chance) / 2);
            for (x, y) in both(a).iter().zip(&both(b)) {
                assert_is(&(x + y), a + b);
                assert_is(&(x - y), a - b);
                assert_is(&(x - x), 0);
            }
        }
    }

    #[test]
    fn products_are_those_of_i128() {
        let mut chance = Chance::seeded(2);
        for _ in 0..20_000 {
            let (a, b) = (integer(&mut chance) >> 64, integer(&mut chance) >> 64);
            for (x, y) in both(a).iter().zip(&both(b)) {
                assert_is(&(x * y), a * b);
            }
        }
    }

    /// (a + b)³ = a³ + b³ + 3ab (a + b), with up to six limbs.
    #[test]
    fn large_products_keep_the_laws_of_arithmetic() {
        let mut chance = Chance::seeded(3);
        let three = Integer::from(3_u64);
        for _ in 0..5_000 {
            let (a, b) = (Integer::from(integer(&mut chance)), Integer::from(integer(&mut chance)));
            let c = &a + &b;
            let left = &c.square() * &c;
            let mixed = &(&three * &(&a * &b)) * &c;
            let right = &(&(&a.square() * &a) + &(&b.square() * &b)) + &mixed;
            assert!((&left - &right).is_zero(), "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_does_not_fit_into_128_bits_is_not_lost() {
        let one = Integer::from(1_u64);
        for extreme in [Integer::from(i128::MAX), Integer::from(i128::MIN)] {
            let sum = &(&(&extreme + &extreme) + &one) - &extreme;
            assert!((&(&sum - &one) - &extreme).is_zero());
            assert!(!(&sum - &extreme).is_zero());
        }
    }

    /// 2^192 − 1 = (2^64 − 1) (2^128 + 2^64 + 1) has no bit that is 0.
    #[test]
    fn carries_and_borrows_go_through_all_limbs() {
        let one = Integer::from(1_u64);
        let base = Integer::from(1_i128 << 64);
        let ones = &Integer::from(u64::MAX) * &(&base.square() + &(&base + &one));
        let power = &base.square() * &base;
        assert!((&(&ones + &one) - &power).is_zero());
        assert!((&(&power - &one) - &ones).is_zero());
    }

    #[test]
    fn quotients_are_right_whatever_the_sizes() {
        let mut chance = Chance::seeded(4);
        for _ in 0..20_000 {
            let (a, b) = (integer(&mut chance), integer(&mut chance) | 1);
            #[expect(clippy::cast_precision_loss, reason = "compared to 1e-15")]
            let expected = a as f64 / b as f64;
            for (mut above, mut below) in both(a).into_iter().zip(both(b)) {
                for _ in 0..chance.below(20) {
                    let factor = Integer::from(i128::MAX - i128::from(chance.next()));
                    (above, below) = (&above * &factor, &below * &factor);
                }
                let quotient = above.quotient(&below);
                assert!((quotient - expected).abs() <= 1e-15 * expected.abs(), "{a} / {b}: {quotient}");
            }
        }
        assert!(Integer::from(0_u64).quotient(&Integer::from(7_u64)).abs() < f64::MIN_POSITIVE);
    }
}
