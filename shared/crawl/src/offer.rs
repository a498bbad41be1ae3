//! What an offer of schema.org says: price, currency, availability.

use crate::graph::{Item, Value};
use domain::{
    Money,
    currency::Currency,
    observation::{Availability, Reason},
    price_text::{self, CurrencyMark, PriceText},
};

/// What one offer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// The price; `None` for what is sold out or discontinued and has none.
    pub price: Option<Money>,
    /// Whether it can be bought.
    pub availability: Availability,
    /// Whether the price is the lowest of several.
    pub from: bool,
}

/// Price specifications that are not what a customer pays for one piece.
const OTHER_PRICE_TYPES: [&str; 7] = [
    "InvoicePrice",
    "ListPrice",
    "MSRP",
    "MinimumAdvertisedPrice",
    "RegularPrice",
    "SRP",
    "StrikethroughPrice",
];
const OTHER_SPECIFICATIONS: [&str; 2] = ["DeliveryChargeSpecification", "PaymentChargeSpecification"];
/// Properties of a specification for members, for a quantity, or for a rate.
const CONDITIONS: [&str; 6] = [
    "billingDuration",
    "billingIncrement",
    "eligibleQuantity",
    "eligibleTransactionVolume",
    "referenceQuantity",
    "validForMemberTier",
];

/// Reads an offer, or an aggregate offer with prices of its own. `currency` is what the items around it say.
pub fn quote(offer: &Item, currency: Option<&str>) -> Result<Quote, Reason> {
    let availability = offer.text("availability").map_or(Availability::Unknown, Availability::parse);
    let currency = currency_of(offer).or(currency);
    let (price, from) = if let Some(price) = value(offer, "price") {
        (Some(money(price, currency)?), false)
    } else if let Some(lowest) = value(offer, "lowPrice") {
        let lowest = money(lowest, currency)?;
        // If all offers have the same price, it is not the lowest of several.
        let highest = value(offer, "highPrice").map(|highest| money(highest, currency)).transpose()?;
        (Some(lowest), highest != Some(lowest))
    } else {
        (specified(offer, currency)?, false)
    };
    finish(price, availability, from)
}

/// Whether it has a price of its own.
pub fn has_price(offer: &Item) -> bool {
    ["price", "lowPrice"].into_iter().any(|name| value(offer, name).is_some())
        || offer.items("priceSpecification").next().is_some()
}

/// What the item says of its currency.
pub fn currency_of(item: &Item) -> Option<&str> {
    item.text("priceCurrency").or_else(|| item.text("currency"))
}

/// Only a product that cannot be bought may lack a price; a price of 0 of such a product counts as none.
pub fn finish(price: Option<Money>, availability: Availability, from: bool) -> Result<Quote, Reason> {
    let price = price.filter(|price| price.amount > 0 || !availability.needs_no_price());
    match price {
        None if !availability.needs_no_price() => Err(Reason::NoPrice),
        price => Ok(Quote { price, availability, from: from && price.is_some() }),
    }
}

fn value<'a>(item: &'a Item, name: &'a str) -> Option<&'a Value> {
    item.all(name).find(|value| match value {
        Value::Text(text) | Value::Number(text) => !text.trim().is_empty(),
        Value::Item(_) => false,
    })
}

/// The price in the offer's specifications, if they do not say different ones.
fn specified(offer: &Item, currency: Option<&str>) -> Result<Option<Money>, Reason> {
    let specifications: Vec<&Item> = offer
        .items("priceSpecification")
        .filter(|item| !item.is_a(&OTHER_SPECIFICATIONS) && value(item, "price").is_some())
        .filter(|item| {
            let mut types = item.texts("priceType").map(crate::graph::local_name);
            !types.any(|own| OTHER_PRICE_TYPES.iter().any(|other| own.eq_ignore_ascii_case(other)))
        })
        .collect();
    let is_plain = |item: &&&Item| !CONDITIONS.iter().any(|name| item.all(name).next().is_some());
    let plain: Vec<&Item> = specifications.iter().filter(is_plain).copied().collect();
    let mut price = None;
    for item in if plain.is_empty() { specifications } else { plain } {
        let Some(own) = value(item, "price") else { continue };
        let own = money(own, currency_of(item).or(currency))?;
        if price.is_some_and(|price| price != own) {
            return Err(Reason::SeveralProducts);
        }
        price = Some(own);
    }
    Ok(price)
}

/// A price in the currency that the page names, or in the one whose mark is in the price alone.
pub fn money(price: &Value, currency: Option<&str>) -> Result<Money, Reason> {
    let named = currency.map(named_currency).transpose()?.flatten();
    match price {
        Value::Number(number) => {
            let currency = named.ok_or(Reason::NoCurrency)?;
            price_text::of_json_number(number, currency).map_err(|_| Reason::BadPrice)
        }
        Value::Text(text) => {
            let text = PriceText::parse(text).map_err(|_| Reason::BadPrice)?;
            let marked = match text.mark {
                Some(CurrencyMark::Of(currency)) => Some(currency),
                Some(CurrencyMark::Ambiguous) | None => None,
            };
            // If the code and the symbol differ, the currency is unknown.
            let currency = match (named, marked) {
                (Some(named), Some(marked)) if named != marked => None,
                (named, marked) => named.or(marked),
            };
            text.in_currency(currency.ok_or(Reason::NoCurrency)?).map_err(|_| Reason::BadPrice)
        }
        Value::Item(_) => Err(Reason::BadPrice),
    }
}

/// The currency of a code or symbol; `None` if several use the symbol.
fn named_currency(name: &str) -> Result<Option<Currency>, Reason> {
    match price_text::mark(name.trim()) {
        Some(CurrencyMark::Of(currency)) => Ok(Some(currency)),
        Some(CurrencyMark::Ambiguous) => Ok(None),
        None => Err(Reason::UnknownCurrency),
    }
}
