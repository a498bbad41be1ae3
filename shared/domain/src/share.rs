//! Shares of visitors, in ten-thousandths.

use crate::{
    Fault,
    input::{Checked, integer},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A share of visitors, in ten-thousandths: 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Share(u16);

impl Share {
    /// Everybody.
    pub const ALL: Self = Self(10_000);

    /// `None` above 10,000.
    pub fn new(ten_thousandths: u16) -> Option<Self> {
        (ten_thousandths <= Self::ALL.0).then_some(Self(ten_thousandths))
    }

    /// Reads a share from `lowest` to `highest` ten-thousandths.
    pub fn from_value(value: &Value, lowest: u16, highest: u16) -> Checked<Self> {
        let number = integer(value, lowest.into(), highest.into())?;
        let share = u16::try_from(number).ok().and_then(Self::new);
        share.ok_or_else(|| vec![Fault::here("must be at most 10000")])
    }

    /// The number of ten-thousandths.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The share as a fraction of 1: the double that is nearest to it, as a parser reads it from decimal digits.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl From<Share> for u16 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl TryFrom<u16> for Share {
    type Error = &'static str;

    fn try_from(ten_thousandths: u16) -> Result<Self, Self::Error> {
        Self::new(ten_thousandths).ok_or("must be at most 10000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shares_are_0_to_10_000() {
        assert_eq!((Share::new(10_000), Share::new(10_001)), (Some(Share::ALL), None));
        assert_eq!(Share::from_value(&json!(1), 1, 10_000).map(Share::get), Ok(1));
        for bad in [json!(0), json!(10_001), json!(0.5), json!("1"), json!(null)] {
            assert!(Share::from_value(&bad, 1, 10_000).is_err(), "{bad}");
        }
        assert!(serde_json::from_value::<Share>(json!(10_001)).is_err());
    }

    /// Clients read the payload's `0.3333` as the double that is nearest to it.
    #[test]
    #[expect(clippy::float_cmp, reason = "the doubles must be the same")]
    fn a_fraction_is_the_double_that_its_decimal_digits_give() {
        for number in 0..=10_000 {
            let share = Share::new(number).unwrap();
            let text = format!("{}.{:04}", number / 10_000, number % 10_000);
            assert_eq!(share.fraction(), text.parse::<f64>().unwrap(), "{text}");
            let json = serde_json::to_string(&share.fraction()).unwrap();
            assert_eq!(json.parse::<f64>().unwrap(), share.fraction(), "{json}");
        }
    }
}
