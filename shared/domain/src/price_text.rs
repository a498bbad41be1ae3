//! Prices as shops write them, read exactly: no floating point, and no guess.

use crate::{Money, currency::Currency, money::HIGHEST_PRICE};

/// What was written is not an amount of the currency: not a number, negative, above [`HIGHEST_PRICE`], or with a
/// fraction of a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPrice;

/// What a currency's name or symbol beside a price says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurrencyMark {
    /// It is used for one currency alone.
    Of(Currency),
    /// Several currencies use it, as `$`.
    Ambiguous,
}

/// A price in a text: a number, perhaps with the mark of a currency before or after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceText {
    /// The mark of the currency, if there is one.
    pub mark: Option<CurrencyMark>,
    /// Digits of ASCII and separators; begins and ends with a digit.
    number: String,
}

/// More digits than the highest price needs, with room for the decimals that programs print.
const MOST_DIGITS: usize = 40;

/// Symbols and abbreviations of currencies, in lower case without full stops. Codes of ISO 4217 are known without this
/// list.
const MARKS: [(&str, Option<&str>); 46] = [
    ("€", Some("EUR")),
    ("₹", Some("INR")),
    ("₽", Some("RUB")),
    ("руб", Some("RUB")),
    ("₺", Some("TRY")),
    ("₫", Some("VND")),
    ("đ", Some("VND")),
    ("₴", Some("UAH")),
    ("грн", Some("UAH")),
    ("₸", Some("KZT")),
    ("₪", Some("ILS")),
    ("₱", Some("PHP")),
    ("₦", Some("NGN")),
    ("₵", Some("GHS")),
    ("₡", Some("CRC")),
    ("₲", Some("PYG")),
    ("₾", Some("GEL")),
    ("₼", Some("AZN")),
    ("฿", Some("THB")),
    ("zł", Some("PLN")),
    ("kč", Some("CZK")),
    ("ft", Some("HUF")),
    ("r$", Some("BRL")),
    ("s$", Some("SGD")),
    ("us$", Some("USD")),
    ("a$", Some("AUD")),
    ("au$", Some("AUD")),
    ("ca$", Some("CAD")),
    ("hk$", Some("HKD")),
    ("nt$", Some("TWD")),
    ("nz$", Some("NZD")),
    ("cn¥", Some("CNY")),
    ("jp¥", Some("JPY")),
    ("円", Some("JPY")),
    ("rm", Some("MYR")),
    ("rp", Some("IDR")),
    ("$", None),
    ("£", None),
    ("¥", None),
    ("元", None),
    ("₩", None),
    ("원", None),
    ("kr", None),
    ("fr", None),
    ("rs", None),
    ("lei", None),
];

impl PriceText {
    /// Reads a text as "1.299,00 €" or "¥1,980". Digits are those of ASCII, of full width, and Arabic-Indic.
    pub fn parse(text: &str) -> Result<Self, BadPrice> {
        let text: String = text.chars().map(plain).collect();
        let first = text.find(|c: char| c.is_ascii_digit()).ok_or(BadPrice)?;
        let last = text.rfind(|c: char| c.is_ascii_digit()).ok_or(BadPrice)?;
        let number = text.get(first..=last).ok_or(BadPrice)?;
        if number.bytes().filter(u8::is_ascii_digit).count() > MOST_DIGITS {
            return Err(BadPrice);
        }
        let before = affix(text.get(..first).unwrap_or_default())?;
        // "1299,-" and "1299.–" are whole amounts.
        let after = text.get(last + 1..).unwrap_or_default();
        let after =
            [",-", ".-", ",–", ".–", ",—"].iter().find_map(|end| after.strip_prefix(end)).unwrap_or(after);
        let mark = match (before, affix(after)?) {
            (Some(before), Some(after)) if before == after => Some(before),
            // "$ 12 USD"
            (Some(CurrencyMark::Ambiguous), Some(mark)) | (Some(mark), Some(CurrencyMark::Ambiguous)) => {
                Some(mark)
            }
            (Some(_), Some(_)) => return Err(BadPrice),
            (before, after) => before.or(after),
        };
        Ok(Self { mark, number: number.to_owned() })
    }

    /// The amount in this currency.
    ///
    /// The last of two kinds of separator is the decimal one. A single separator that three digits follow separates
    /// thousands, unless the currency has three decimals.
    pub fn in_currency(&self, currency: Currency) -> Result<Money, BadPrice> {
        let separators: Vec<(usize, char)> =
            self.number.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
        let decimal = decimal_separator(&self.number, &separators, currency)?;
        let (whole, fraction) = match decimal {
            Some(at) => (self.number.get(..at).ok_or(BadPrice)?, self.number.get(at + 1..).ok_or(BadPrice)?),
            None => (self.number.as_str(), ""),
        };
        amount(&without_groups(whole)?, fraction, 0, currency)
    }
}

/// The amount that a number of JSON says: its point is a decimal point.
pub fn of_json_number(number: &str, currency: Currency) -> Result<Money, BadPrice> {
    let number = number.strip_prefix('+').unwrap_or(number);
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| BadPrice)?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(BadPrice);
    }
    amount(whole, fraction, exponent, currency)
}

/// Digits and separators in their plain form.
fn plain(c: char) -> char {
    let digit = |zero: char| char::from_digit(u32::from(c).wrapping_sub(u32::from(zero)), 10);
    match c {
        '\u{0660}'..='\u{0669}' => digit('\u{0660}').unwrap_or(c),
        '\u{06f0}'..='\u{06f9}' => digit('\u{06f0}').unwrap_or(c),
        '\u{ff10}'..='\u{ff19}' => digit('\u{ff10}').unwrap_or(c),
        '\u{066b}' | '\u{ff0e}' => '.',
        '\u{066c}' | '\u{ff0c}' => ',',
        '\u{2019}' | '\u{02bc}' => '\'',
        '\u{ffe5}' => '¥',
        '\u{ff04}' => '$',
        '\u{ffe6}' => '₩',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// What stands before or after the number: nothing, or the mark of a currency. Direction marks are skipped.
fn affix(text: &str) -> Result<Option<CurrencyMark>, BadPrice> {
    let invisible = |c: char| c == ' ' || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
    let text = text.trim_matches(|c| invisible(c) || c == '.');
    if text.is_empty() { Ok(None) } else { mark(text).map(Some).ok_or(BadPrice) }
}

/// The meaning of a currency's code, symbol or abbreviation; `None` if it is none.
pub fn mark(text: &str) -> Option<CurrencyMark> {
    if let Ok(currency) = text.to_ascii_uppercase().parse() {
        return Some(CurrencyMark::Of(currency));
    }
    let lower = text.to_lowercase();
    let (_, code) = MARKS.iter().find(|(mark, _)| *mark == lower)?;
    Some(code.and_then(|code| code.parse().ok()).map_or(CurrencyMark::Ambiguous, CurrencyMark::Of))
}

/// The position of the separator that begins the decimals.
fn decimal_separator(
    number: &str,
    separators: &[(usize, char)],
    currency: Currency,
) -> Result<Option<usize>, BadPrice> {
    let Some(&(last_at, last)) = separators.last() else { return Ok(None) };
    let same = separators.iter().filter(|(_, c)| *c == last).count();
    let may_be_decimal = matches!(last, '.' | ',');
    if same < separators.len() {
        // Two kinds: the decimal one stands once.
        return if may_be_decimal && same == 1 { Ok(Some(last_at)) } else { Err(BadPrice) };
    }
    if same > 1 || !may_be_decimal {
        return Ok(None);
    }
    let (whole, decimals) = (last_at, number.len() - last_at - 1);
    let groups_thousands = decimals == 3 && whole <= 3 && !number.starts_with('0');
    Ok((!groups_thousands || currency.decimals() == 3).then_some(last_at))
}

/// Digits in groups, as "1,299" or "12,34,567": the last group has three digits, those between it and the first have
/// two or three, and all separators are alike.
fn without_groups(number: &str) -> Result<String, BadPrice> {
    let mut separators = number.chars().filter(|c| !c.is_ascii_digit());
    let first = separators.next();
    let Some(separator) = first else { return Ok(number.to_owned()) };
    let groups: Vec<&str> = number.split(separator).collect();
    let (Some((last, others)), true) = (
        groups.split_last(),
        matches!(separator, '.' | ',' | ' ' | '\'') && separators.all(|c| c == separator),
    ) else {
        return Err(BadPrice);
    };
    let well_formed = last.len() == 3
        && others.iter().skip(1).all(|group| matches!(group.len(), 2 | 3))
        && others.first().is_some_and(|group| matches!(group.len(), 1..=3));
    if well_formed { Ok(groups.concat()) } else { Err(BadPrice) }
}

/// `whole.fraction` times ten to the `exponent`, in minor units. What is a hundredth of a minor unit or less beside a
/// whole one is the noise of a program's floating point.
fn amount(whole: &str, fraction: &str, exponent: i32, currency: Currency) -> Result<Money, BadPrice> {
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadPrice);
    }
    // `digits` is a number of units of ten to the minus `places`, and `shift` makes them hundredths of minor units.
    let places = i64::try_from(fraction.len()).map_err(|_| BadPrice)? - i64::from(exponent);
    let shift = i64::from(currency.decimals()) + 2 - places;
    let is_free = digits.bytes().all(|b| b == b'0');
    let hundredths = if is_free { 0 } else { shifted(&digits, shift)? };
    // Noise is 0, 1 or 99 hundredths. A positive number that rounds to 0 is refused below: it does not mean "free".
    let amount = match hundredths % 100 {
        0 | 1 => hundredths / 100,
        99 => hundredths / 100 + 1,
        _ => return Err(BadPrice),
    };
    if amount > HIGHEST_PRICE || (amount == 0 && !is_free) {
        Err(BadPrice)
    } else {
        Ok(Money { amount, currency })
    }
}

/// The digits as a whole number after a shift of the decimal point, rounded half up.
fn shifted(digits: &str, shift: i64) -> Result<i64, BadPrice> {
    let digits = digits.trim_start_matches('0');
    let length = i64::try_from(digits.len()).map_err(|_| BadPrice)? + shift;
    // HIGHEST_PRICE has 11 digits, its hundredths 13.
    if length > 14 {
        return Err(BadPrice);
    }
    if length < 0 {
        return Ok(0);
    }
    let kept = usize::try_from(length).map_err(|_| BadPrice)?;
    let mut number = 0;
    for digit in digits.bytes().chain(std::iter::repeat(b'0')).take(kept) {
        number = number * 10 + i64::from(digit - b'0');
    }
    Ok(number + i64::from(digits.as_bytes().get(kept).is_some_and(|digit| *digit >= b'5')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount_of(text: &str, code: &str) -> Result<i64, BadPrice> {
        PriceText::parse(text)?.in_currency(code.parse().unwrap()).map(|money| money.amount)
    }

    #[test]
    fn texts_are_read_by_their_separators() {
        for (text, code, amount) in [
            ("1299", "EUR", 129_900),
            ("1299.00", "EUR", 129_900),
            ("1.299,00", "EUR", 129_900),
            ("1,299.00", "EUR", 129_900),
            ("1 299,00 €", "EUR", 129_900),
            ("1\u{a0}299,00\u{a0}€", "EUR", 129_900),
            ("1\u{202f}299,00", "EUR", 129_900),
            ("CHF 1'299.50", "CHF", 129_950),
            ("1’299.50", "CHF", 129_950),
            ("1.299", "EUR", 129_900),
            ("1,299", "USD", 129_900),
            ("1.299.000", "EUR", 129_900_000),
            ("12,34,567.80", "INR", 123_456_780),
            ("1299.0000", "USD", 129_900),
            ("12.5", "USD", 1250),
            ("12,5", "EUR", 1250),
            ("¥1,980", "JPY", 1980),
            ("￥１，９８０", "JPY", 1980),
            ("1980円", "JPY", 1980),
            ("1980.00", "JPY", 1980),
            ("1.980", "JPY", 1980),
            ("1.299", "KWD", 1299),
            ("1,299", "KWD", 1299),
            ("1.299,500", "KWD", 1_299_500),
            ("١٬٢٩٩٫٥٠", "EGP", 129_950),
            ("۱۲۳۴", "IRR", 123_400),
            ("1299,-", "DKK", 129_900),
            ("$12.00 USD", "USD", 1200),
            ("0", "EUR", 0),
            ("0,00 €", "EUR", 0),
            ("19.989999999999998", "EUR", 1999),
            ("999999999.99", "EUR", HIGHEST_PRICE),
        ] {
            assert_eq!(amount_of(text, code), Ok(amount), "{text} {code}");
        }
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused() {
        for (text, code) in [
            ("", "EUR"),
            ("free", "EUR"),
            ("from 12.99", "EUR"),
            ("12.99 - 15.99", "EUR"),
            ("12.99/15.99", "EUR"),
            ("-12.99", "EUR"),
            ("12.3456", "EUR"),
            ("0.299", "EUR"),
            ("1234.567", "EUR"),
            ("19.5", "JPY"),
            ("1,23,4", "EUR"),
            ("1.2.3", "EUR"),
            ("1,299.000.50", "EUR"),
            ("1,299 000", "EUR"),
            ("12 34", "EUR"),
            ("€12 USD", "USD"),
            ("1000000000.00", "EUR"),
            ("12:30", "EUR"),
        ] {
            assert_eq!(amount_of(text, code), Err(BadPrice), "{text} {code}");
        }
    }

    #[test]
    fn numbers_of_json_have_a_decimal_point() {
        let read = |text, code: &str| of_json_number(text, code.parse().unwrap()).map(|money| money.amount);
        for (text, code, amount) in [
            ("1.299", "KWD", 1299),
            ("1299", "EUR", 129_900),
            ("1299.5", "EUR", 129_950),
            ("1.299e3", "EUR", 129_900),
            ("129900E-2", "EUR", 129_900),
            ("0", "EUR", 0),
            ("0.0", "JPY", 0),
            ("0e999", "JPY", 0),
            ("12.000", "EUR", 1200),
            ("19.989999999999998", "EUR", 1999),
            ("19.990000000000002", "EUR", 1999),
            ("19.9901", "EUR", 1999),
        ] {
            assert_eq!(read(text, code), Ok(amount), "{text} {code}");
        }
        for (text, code) in [
            ("1.299", "EUR"),
            ("12.9902", "EUR"),
            ("0.5", "JPY"),
            ("0.00000001", "EUR"),
            ("-1", "EUR"),
            ("1e99", "EUR"),
            ("0x10", "EUR"),
            ("NaN", "EUR"),
            (".", "EUR"),
            ("1e", "EUR"),
            ("1e99999999999", "EUR"),
        ] {
            assert_eq!(read(text, code), Err(BadPrice), "{text} {code}");
        }
    }

    #[test]
    fn a_mark_names_a_currency_only_if_no_other_uses_it() {
        let mark = |text| PriceText::parse(text).unwrap().mark;
        let of = |code: &str| Some(CurrencyMark::Of(code.parse().unwrap()));
        for (text, expected) in [
            ("12.00", None),
            ("€12.00", of("EUR")),
            ("12,00 zł", of("PLN")),
            ("12 eur", of("EUR")),
            ("R$ 12,00", of("BRL")),
            ("$ 12.00", Some(CurrencyMark::Ambiguous)),
            ("£12.00", Some(CurrencyMark::Ambiguous)),
            ("¥1,980", Some(CurrencyMark::Ambiguous)),
            ("12 kr.", Some(CurrencyMark::Ambiguous)),
            ("$12 CAD", of("CAD")),
        ] {
            assert_eq!(mark(text), expected, "{text}");
        }
        assert!(MARKS.iter().all(|(_, code)| code.is_none_or(|code| code.parse::<Currency>().is_ok())));
    }
}
