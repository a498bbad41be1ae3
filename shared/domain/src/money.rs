//! Amounts of money, without floating point.

use crate::{
    Fault,
    currency::Currency,
    input::{Checked, Members, integer},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An amount of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The number of the currency's minor units (ISO 4217).
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

/// The highest price, in minor units. It is below 2^53, so that a double holds it exactly, and the sum of 50 order
/// lines of 10,000 units each fits into an `i64`.
pub const HIGHEST_PRICE: i64 = 99_999_999_999;

impl Money {
    /// Parses a price: 1 to [`HIGHEST_PRICE`] minor units.
    pub fn price(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let amount = members.required("amount", |value| integer(&value, 1, HIGHEST_PRICE));
        let currency = members.required("currency", currency);
        members.finish(|| Some(Self { amount: amount?, currency: currency? }))
    }
}

impl Money {
    /// The amount in the currency's major unit, and its code: `12.99 SGD`.
    pub fn to_text(&self) -> String {
        let decimals = usize::from(self.currency.decimals());
        let sign = if self.amount < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.amount.unsigned_abs(), width = decimals + 1);
        let (whole, part) = digits.split_at(digits.len() - decimals);
        let point = if decimals > 0 { "." } else { "" };
        format!("{sign}{whole}{point}{part} {}", self.currency)
    }
}

fn currency(value: Value) -> Checked<Currency> {
    let code = crate::text::string(value)?;
    code.parse().map_err(|_| vec![Fault::here("must be the code of an active ISO 4217 currency")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prices_are_positive_and_bounded() {
        assert!(Money::price(json!({"amount": 1, "currency": "SGD"})).is_ok());
        assert!(Money::price(json!({"amount": HIGHEST_PRICE, "currency": "JPY"})).is_ok());
        for amount in [json!(0), json!(-1), json!(HIGHEST_PRICE + 1), json!(u64::MAX), json!(1.5), json!("1")]
        {
            assert!(Money::price(json!({"amount": amount, "currency": "SGD"})).is_err(), "{amount}");
        }
    }

    #[test]
    fn amounts_are_written_with_the_decimals_of_their_currency() {
        let text = |amount, code: &str| Money { amount, currency: code.parse().unwrap() }.to_text();
        assert_eq!(text(1299, "SGD"), "12.99 SGD");
        assert_eq!(text(5, "SGD"), "0.05 SGD");
        assert_eq!(text(0, "SGD"), "0.00 SGD");
        assert_eq!(text(-120, "SGD"), "-1.20 SGD");
        assert_eq!(text(1299, "JPY"), "1299 JPY");
        assert_eq!(text(0, "JPY"), "0 JPY");
        assert_eq!(text(1299, "KWD"), "1.299 KWD");
    }

    #[test]
    fn each_wrong_member_of_a_price_is_a_fault() {
        let faults = Money::price(json!({"amount": 0, "currency": "sgd", "vat": 1})).unwrap_err();
        assert_eq!(faults.len(), 3);
    }
}
