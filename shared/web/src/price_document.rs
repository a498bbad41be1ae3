//! A page of an item's prices, as clients read it.

use domain::{
    Money, Timestamp,
    observation::Availability,
    price_summary::PriceSummary,
    watched_item::{PastPrice, WatchedItem},
};
use serde::Serialize;

/// What a page said for some time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceDocument {
    price: Option<Money>,
    availability: Availability,
    /// Whether the price was the lowest of several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_lowest_of_several: bool,
    from: Timestamp,
    /// Null if the page still says it.
    until: Option<Timestamp>,
}

/// A page of an item's prices, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PricePage<'a> {
    items: Vec<PriceDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
    /// On the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<PriceSummary>,
}

impl<'a> PricePage<'a> {
    /// The page of these past prices. `now` is the item, on the first page; `before` is when the last price of the page
    /// before began, on the others.
    pub fn new(
        now: Option<&WatchedItem>,
        past: &[PastPrice],
        before: Option<Timestamp>,
        next_cursor: Option<&'a str>,
    ) -> Self {
        let current = now.and_then(WatchedItem::past);
        let mut until = None;
        let mut items = Vec::new();
        if let Some(PastPrice { price, availability, from, since }) = current {
            items.push(PriceDocument { price, availability, is_lowest_of_several: from, from: since, until });
        }
        until = before.or(now.map(|now| now.since));
        for &PastPrice { price, availability, from, since } in past {
            items.push(PriceDocument { price, availability, is_lowest_of_several: from, from: since, until });
            until = Some(since);
        }
        Self { items, next_cursor, summary: None }
    }

    /// The first page, with a summary.
    #[must_use]
    pub fn with_summary(self, summary: PriceSummary) -> Self {
        Self { summary: Some(summary), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::observation::{ItemId, Observation, Reason, Validators};
    use serde_json::json;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn seen(amount: i64) -> (Observation, Validators) {
        let price = Some(Money { amount, currency: "SGD".parse().unwrap() });
        let name = "Tea".to_owned();
        (
            Observation { name, price, availability: Availability::InStock, from: amount == 1 },
            Validators::default(),
        )
    }

    #[test]
    fn each_price_ends_when_the_next_one_begins() {
        let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        let first = WatchedItem::new(ItemId::of_digest(&[7; 32]), address, Ok(seen(1)), at(0));
        let now = first.after(Ok(Some(seen(2))), at(60)).unwrap();
        let past = [first.past().unwrap()];
        let sgd = |amount| json!({"amount": amount, "currency": "SGD"});
        let earlier = json!({"price": sgd(1), "availability": "inStock", "isLowestOfSeveral": true,
            "from": at(0), "until": at(60)});
        let current = json!({"price": sgd(2), "availability": "inStock", "from": at(60), "until": null});
        let page = json!(PricePage::new(Some(&now), &past, None, Some("c")));
        assert_eq!(page, json!({"items": [current, earlier], "nextCursor": "c"}));
        let second = json!(PricePage::new(None, &past, Some(at(60)), None));
        assert_eq!(second, json!({"items": [earlier]}));
        let summary = json!(PricePage::new(None, &[], None, None).with_summary(PriceSummary::default()));
        assert_eq!(summary["summary"]["lowest"], json!(null));
    }

    #[test]
    fn a_page_that_was_never_read_has_no_prices() {
        let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        let item = WatchedItem::new(ItemId::of_digest(&[7; 32]), address, Err(Reason::Dns), at(0));
        assert_eq!(json!(PricePage::new(Some(&item), &[], None, None)), json!({"items": []}));
    }
}
