//! The active currencies of ISO 4217.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// An active currency, identified by its alphabetic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The active alphabetic codes of ISO 4217 as of 2026-01-01 (list one of the maintenance agency), sorted. Excludes fund
/// codes, precious metals and test codes, which are no means of payment.
const ACTIVE: [[u8; 3]; 155] = [
    *b"AED", *b"AFN", *b"ALL", *b"AMD", *b"AOA", *b"ARS", *b"AUD", *b"AWG", *b"AZN", *b"BAM", *b"BBD",
    *b"BDT", *b"BHD", *b"BIF", *b"BMD", *b"BND", *b"BOB", *b"BRL", *b"BSD", *b"BTN", *b"BWP", *b"BYN",
    *b"BZD", *b"CAD", *b"CDF", *b"CHF", *b"CLP", *b"CNY", *b"COP", *b"CRC", *b"CUP", *b"CVE", *b"CZK",
    *b"DJF", *b"DKK", *b"DOP", *b"DZD", *b"EGP", *b"ERN", *b"ETB", *b"EUR", *b"FJD", *b"FKP", *b"GBP",
    *b"GEL", *b"GHS", *b"GIP", *b"GMD", *b"GNF", *b"GTQ", *b"GYD", *b"HKD", *b"HNL", *b"HTG", *b"HUF",
    *b"IDR", *b"ILS", *b"INR", *b"IQD", *b"IRR", *b"ISK", *b"JMD", *b"JOD", *b"JPY", *b"KES", *b"KGS",
    *b"KHR", *b"KMF", *b"KPW", *b"KRW", *b"KWD", *b"KYD", *b"KZT", *b"LAK", *b"LBP", *b"LKR", *b"LRD",
    *b"LSL", *b"LYD", *b"MAD", *b"MDL", *b"MGA", *b"MKD", *b"MMK", *b"MNT", *b"MOP", *b"MRU", *b"MUR",
    *b"MVR", *b"MWK", *b"MXN", *b"MYR", *b"MZN", *b"NAD", *b"NGN", *b"NIO", *b"NOK", *b"NPR", *b"NZD",
    *b"OMR", *b"PAB", *b"PEN", *b"PGK", *b"PHP", *b"PKR", *b"PLN", *b"PYG", *b"QAR", *b"RON", *b"RSD",
    *b"RUB", *b"RWF", *b"SAR", *b"SBD", *b"SCR", *b"SDG", *b"SEK", *b"SGD", *b"SHP", *b"SLE", *b"SOS",
    *b"SRD", *b"SSP", *b"STN", *b"SVC", *b"SYP", *b"SZL", *b"THB", *b"TJS", *b"TMT", *b"TND", *b"TOP",
    *b"TRY", *b"TTD", *b"TWD", *b"TZS", *b"UAH", *b"UGX", *b"USD", *b"UYU", *b"UZS", *b"VED", *b"VES",
    *b"VND", *b"VUV", *b"WST", *b"XAF", *b"XCD", *b"XCG", *b"XOF", *b"XPF", *b"YER", *b"ZAR", *b"ZMW",
    *b"ZWG",
];

/// The currencies without a minor unit, sorted.
const WITHOUT_DECIMALS: [[u8; 3]; 16] = [
    *b"BIF", *b"CLP", *b"DJF", *b"GNF", *b"ISK", *b"JPY", *b"KMF", *b"KRW", *b"PYG", *b"RWF", *b"UGX",
    *b"VND", *b"VUV", *b"XAF", *b"XOF", *b"XPF",
];

/// The currencies whose minor unit is a thousandth, sorted.
const WITH_THREE_DECIMALS: [[u8; 3]; 7] = [*b"BHD", *b"IQD", *b"JOD", *b"KWD", *b"LYD", *b"OMR", *b"TND"];

/// The text is not the code of an active currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACurrency;

impl Currency {
    /// The code, three upper-case letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The number of decimals of the minor unit: 0, 2 or 3 (ISO 4217).
    pub fn decimals(&self) -> u8 {
        if WITHOUT_DECIMALS.binary_search(&self.0).is_ok() {
            0
        } else if WITH_THREE_DECIMALS.binary_search(&self.0).is_ok() {
            3
        } else {
            2
        }
    }

    /// All active currencies, sorted by code.
    pub fn all() -> impl Iterator<Item = Self> {
        ACTIVE.into_iter().map(Self)
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(code: &str) -> Result<Self, NotACurrency> {
        let code: [u8; 3] = code.as_bytes().try_into().map_err(|_| NotACurrency)?;
        ACTIVE.binary_search(&code).map(|_| Self(code)).map_err(|_| NotACurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(|_| de::Error::custom("not an active currency"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_codes_are_sorted_and_parse() {
        assert!(ACTIVE.is_sorted());
        assert!(Currency::all().all(|currency| currency.code().parse() == Ok(currency)));
    }

    #[test]
    fn minor_units_have_none_two_or_three_decimals() {
        assert!(WITHOUT_DECIMALS.is_sorted() && WITH_THREE_DECIMALS.is_sorted());
        let exceptions = WITHOUT_DECIMALS.iter().chain(&WITH_THREE_DECIMALS);
        assert!(exceptions.clone().all(|code| ACTIVE.contains(code)), "{exceptions:?}");
        let decimals = |code: &str| code.parse::<Currency>().unwrap().decimals();
        assert_eq!([decimals("JPY"), decimals("SGD"), decimals("KWD")], [0, 2, 3]);
    }

    #[test]
    fn texts_that_are_not_active_codes_are_refused() {
        for code in ["", "sgd", "SG", "SGDX", "XXX", "ABC", "€"] {
            assert_eq!(code.parse::<Currency>(), Err(NotACurrency), "{code}");
        }
    }

    #[test]
    fn currencies_are_listed_and_shown_by_code() {
        let dollars: Currency = "SGD".parse().unwrap();
        assert_eq!(dollars.to_string(), "SGD");
        assert!(Currency::all().any(|currency| currency == dollars) && Currency::all().count() > 100);
    }
}
