//! Amounts in Stripe's units (<https://docs.stripe.com/currencies>, read in September 2026).
//!
//! `Money` is in the minor units of ISO 4217, Stripe's amounts are in its own "smallest units". Both are the same for
//! nearly all currencies, but a wrong factor would charge a hundred times the amount. The differences are listed here,
//! and a test compares both units for every currency.

use crate::errors::declined;
use domain::{Error, Money, currency::Currency};

/// The conversion from ISO minor units to Stripe's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// The same amount.
    Same,
    /// Multiply: ISO 4217 has no minor unit, Stripe counts hundredths and accepts multiples of 100 only.
    Times(i64),
    /// Divide: ISO 4217 has a minor unit, Stripe has none.
    Over(i64),
    /// The same amount, but its last digit must be 0.
    WholeTens,
    /// Not supported: the minor unit is a thousandth, and Stripe does not document its unit.
    Unknown,
}

fn unit(currency: Currency) -> Unit {
    match currency.code() {
        "ISK" | "UGX" => Unit::Times(100),
        "MGA" => Unit::Over(100),
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Unit::WholeTens,
        "IQD" | "LYD" => Unit::Unknown,
        // The same number of decimals in both. Stripe itself refuses currencies that it does not support.
        _ => Unit::Same,
    }
}

/// The amount in Stripe's units; `PaymentDeclined` if Stripe cannot represent it.
pub fn in_units(money: Money) -> Result<i64, Error> {
    let code = money.currency.code();
    let whole = |step: i64, why: &str| match money.amount % step {
        0 => Ok(money.amount),
        _ => Err(declined(format!("An amount in {code} can only be paid {why}."))),
    };
    match unit(money.currency) {
        Unit::Same => Ok(money.amount),
        Unit::Times(factor) => money.amount.checked_mul(factor).ok_or_else(|| declined(TOO_LARGE)),
        Unit::Over(parts) => Ok(whole(parts, "without its minor unit")? / parts),
        Unit::WholeTens => whole(10, "in steps of ten minor units"),
        Unit::Unknown => Err(unknown(money.currency)),
    }
}

/// Detail for the customer if the amount exceeds Stripe's limit or overflows.
pub const TOO_LARGE: &str = "The amount is more than can be paid at once.";

/// `PaymentDeclined` for a currency that is not supported.
pub fn unknown(currency: Currency) -> Error {
    declined(format!("Payments in {} are not supported.", currency.code()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rejection::RejectionReason;

    /// ISO 4217: currencies without a minor unit, and currencies with three decimals. All others have two decimals.
    const ISO_NONE: [&str; 16] = [
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF",
        "XOF", "XPF",
    ];
    const ISO_THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

    /// Stripe: currencies without a minor unit (UGX is in Stripe's list too, but is a special case), and currencies
    /// with three decimals.
    const STRIPE_NONE: [&str; 15] = [
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
        "XPF",
    ];
    const STRIPE_THREE: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

    /// The number of units in one major unit.
    fn parts(code: &str, none: &[&str], three: &[&str]) -> i64 {
        if none.contains(&code) {
            1
        } else if three.contains(&code) {
            1000
        } else {
            100
        }
    }

    fn units(amount: i64, code: &str) -> Result<i64, String> {
        in_units(Money { amount, currency: code.parse().unwrap() }).map_err(|error| match error {
            Error::Rejected(RejectionReason::PaymentDeclined { detail }) => detail,
            error => panic!("{error:?}"),
        })
    }

    #[test]
    fn one_major_unit_converts_to_one_major_unit_in_every_currency() {
        let mut differing = Vec::new();
        for currency in Currency::all() {
            let code = currency.code();
            let (ours, theirs) =
                (parts(code, &ISO_NONE, &ISO_THREE), parts(code, &STRIPE_NONE, &STRIPE_THREE));
            if ["IQD", "LYD"].contains(&code) {
                assert!(units(ours, code).unwrap_err().contains(code));
                continue;
            }
            for whole in [1, 7, 1_000_000] {
                assert_eq!(units(whole * ours, code), Ok(whole * theirs), "{whole} {code}");
            }
            if ours != theirs {
                differing.push(code.to_owned());
            }
        }
        assert_eq!(differing, ["ISK", "MGA", "UGX"]);
    }

    #[test]
    fn amounts_in_stripes_units() {
        for (amount, code, expected) in [
            (650, "SGD", 650),
            (500, "JPY", 500),
            (5, "ISK", 500),
            (5, "UGX", 500),
            (300, "MGA", 3),
            (5120, "KWD", 5120),
            (1045, "HUF", 1045),
            (80_045, "TWD", 80_045),
            (1, "USD", 1),
        ] {
            assert_eq!(units(amount, code), Ok(expected), "{amount} {code}");
        }
    }

    #[test]
    fn amounts_that_stripe_cannot_represent_are_declined() {
        for (amount, code) in [(5124, "KWD"), (1, "BHD"), (250, "MGA"), (1000, "IQD"), (1000, "LYD")] {
            assert!(units(amount, code).unwrap_err().contains(code), "{amount} {code}");
        }
        assert_eq!(units(i64::MAX, "ISK"), Err(TOO_LARGE.to_owned()));
    }
}
