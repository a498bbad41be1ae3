//! The summary of an item's prices.

use crate::{
    Money, Timestamp,
    price_record::{DatedPrice, PriceRecord},
    watched_item::{PastPrice, WatchedItem},
};
use serde::Serialize;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The days of past prices that a summary needs: the lowest price before one that began 90 days ago needs 30 more.
pub const SUMMARY_DAYS: u64 = 120;

/// A price that is of no single time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AveragePrice {
    /// The price.
    pub price: Money,
}

/// The prices of an item in the currency that it has now. Without a price, all members are null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceSummary {
    /// The lowest price, and when it began first.
    pub lowest: Option<DatedPrice>,
    /// The highest price, and when it began first.
    pub highest: Option<DatedPrice>,
    /// The average by time.
    pub average: Option<AveragePrice>,
    /// The lowest price of those that held in the last 30 days.
    pub lowest_30_days: Option<DatedPrice>,
    /// The lowest price of those that held in the last 90 days.
    pub lowest_90_days: Option<DatedPrice>,
    /// The lowest price of those that held in the 30 days before the current price began: what a shop in the EU has to name
    /// beside a reduced price. Null if the price began more than 90 days ago, or is the first one.
    pub omnibus: Option<DatedPrice>,
    /// When the page last said something else.
    pub last_change: Option<Timestamp>,
}

/// A price, and when it held.
struct Held {
    dated: DatedPrice,
    until: Timestamp,
}

impl PriceSummary {
    /// The summary of an item. `past` are its past prices of [`SUMMARY_DAYS`], and the one before them, newest first.
    pub fn of(item: &WatchedItem, past: &[PastPrice], now: Timestamp) -> Self {
        let last_change = past.first().map(|_| item.since);
        let Some(record) = &item.record else { return Self { last_change, ..Self::default() } };
        let current = item.observation.as_ref().and_then(|observation| observation.price);
        let held = held(item, record, past, now);
        let since = |days: u64| now.minus_seconds(days * DAY_SECONDS);
        Self {
            lowest: Some(record.lowest()),
            highest: Some(record.highest()),
            average: Some(AveragePrice { price: record.average(current, item.since, now) }),
            lowest_30_days: lowest(&held, since(30), now),
            lowest_90_days: lowest(&held, since(90), now),
            omnibus: current.and_then(|current| omnibus(&held, current, since(90))),
            last_change,
        }
    }
}

/// The prices of the record, newest first.
fn held(item: &WatchedItem, record: &PriceRecord, past: &[PastPrice], now: Timestamp) -> Vec<Held> {
    let current = item.observation.as_ref().and_then(|observation| observation.price);
    let stated = past.iter().map(|past| (past.price, past.since));
    let (mut held, mut until) = (Vec::new(), now);
    for (price, at) in [(current, item.since)].into_iter().chain(stated) {
        if let Some(price) = price
            && price.currency == record.currency()
            && at >= record.since
        {
            held.push(Held { dated: DatedPrice { price, at }, until });
        }
        until = at;
    }
    held
}

/// The lowest price of those that held between two times; of equal ones, the one that began first.
fn lowest(held: &[Held], from: Timestamp, until: Timestamp) -> Option<DatedPrice> {
    let within = held.iter().filter(|held| held.until > from && held.dated.at <= until);
    within.map(|held| held.dated).min_by_key(|dated| (dated.price.amount, dated.at))
}

/// The lowest price of the 30 days before the current one began. Times at which only the availability changed belong to
/// one price.
fn omnibus(held: &[Held], current: Money, earliest: Timestamp) -> Option<DatedPrice> {
    let before = held.iter().position(|held| held.dated.price != current)?;
    let began = held[..before].last()?.dated.at;
    let from = began.minus_seconds(30 * DAY_SECONDS);
    (began >= earliest).then(|| lowest(&held[before..], from, began)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Availability, ItemId, Observation, Validators};
    use serde_json::json;

    const START: u64 = 1_700_000_000;

    fn day(day: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds((START + day * DAY_SECONDS) * 1000)
    }

    fn seen(price: Option<(i64, &str)>, availability: Availability) -> (Observation, Validators) {
        let price = price.map(|(amount, currency)| Money { amount, currency: currency.parse().unwrap() });
        (Observation { name: "Tea".to_owned(), price, availability, from: false }, Validators::default())
    }

    /// The item that said this at these days, and its past prices, newest first.
    fn item(said: &[(u64, Option<(i64, &str)>)]) -> (WatchedItem, Vec<PastPrice>) {
        let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        let first = seen(said[0].1, Availability::InStock);
        let mut item = WatchedItem::new(ItemId::of_digest(&[7; 32]), address, Ok(first), day(said[0].0));
        let mut past = Vec::new();
        for (at, price) in &said[1..] {
            past.insert(0, item.past().unwrap());
            item = item.after(Ok(Some(seen(*price, Availability::InStock))), day(*at)).unwrap();
        }
        (item, past)
    }

    fn summary(said: &[(u64, Option<(i64, &str)>)], now: u64) -> PriceSummary {
        let (item, past) = item(said);
        PriceSummary::of(&item, &past, day(now))
    }

    fn amounts(summary: &PriceSummary) -> [Option<i64>; 5] {
        let PriceSummary { lowest, highest, lowest_30_days, lowest_90_days, omnibus, .. } = summary;
        [lowest, highest, lowest_30_days, lowest_90_days, omnibus]
            .map(|dated| dated.map(|dated| dated.price.amount))
    }

    #[test]
    fn a_price_counts_for_as_long_as_it_held() {
        let said = [(0, Some((70, "SGD"))), (10, Some((100, "SGD"))), (95, Some((90, "SGD")))];
        // 70 held until day 10: it is in 90 days until day 100, and in none of the last 30.
        let now = summary(&said, 99);
        assert_eq!(amounts(&now), [Some(70), Some(100), Some(90), Some(70), Some(100)]);
        assert_eq!((now.last_change, now.lowest.unwrap().at), (Some(day(95)), day(0)));
        assert_eq!(amounts(&summary(&said, 101)), [Some(70), Some(100), Some(90), Some(90), Some(100)]);
        // (70 × 10 + 100 × 85 + 90 × 5) / 100 = 96.5
        assert_eq!(summary(&said, 100).average.unwrap().price.amount, 97);
    }

    #[test]
    fn the_price_before_a_reduction_is_the_lowest_of_thirty_days() {
        let said = [
            (0, Some((60, "SGD"))),
            (20, Some((100, "SGD"))),
            (40, Some((80, "SGD"))),
            (55, Some((100, "SGD"))),
            (60, Some((90, "SGD"))),
        ];
        assert_eq!(summary(&said, 61).omnibus.unwrap().price.amount, 80);
        // The end of a sale too: from day 25 on, 100, 80 held.
        assert_eq!(summary(&said[..4], 56).omnibus.unwrap().price.amount, 80);
        assert_eq!(summary(&said[..3], 41).omnibus.unwrap().price.amount, 60);
        assert_eq!(summary(&said, 151).omnibus, None);
        assert_eq!(summary(&said[..1], 5).omnibus, None);
    }

    #[test]
    fn a_change_of_availability_begins_no_price() {
        let (first, _) = item(&[(0, Some((100, "SGD"))), (10, Some((80, "SGD")))]);
        let past_first = PastPrice {
            since: day(0),
            price: seen(Some((100, "SGD")), Availability::InStock).0.price,
            ..first.past().unwrap()
        };
        let next = first.after(Ok(Some(seen(Some((80, "SGD")), Availability::OutOfStock))), day(20)).unwrap();
        let now = PriceSummary::of(&next, &[first.past().unwrap(), past_first], day(21));
        assert_eq!((now.omnibus.unwrap().price.amount, now.last_change), (100, Some(day(20))));
    }

    #[test]
    fn another_currency_begins_anew() {
        let now = summary(&[(0, Some((5, "SGD"))), (10, Some((70, "EUR"))), (20, Some((90, "EUR")))], 21);
        assert_eq!(amounts(&now), [Some(70), Some(90), Some(70), Some(70), Some(70)]);
        // Back in the first currency, its earlier prices do not count.
        let now = summary(&[(0, Some((5, "SGD"))), (10, Some((70, "EUR"))), (20, Some((9, "SGD")))], 21);
        assert_eq!(amounts(&now), [Some(9), Some(9), Some(9), Some(9), None]);
    }

    #[test]
    fn an_item_without_a_price_has_a_summary_of_nulls() {
        let now = summary(&[(0, None)], 1);
        assert_eq!(
            json!(now),
            json!({"lowest": null, "highest": null, "average": null, "lowest30Days": null,
            "lowest90Days": null, "omnibus": null, "lastChange": null})
        );
        let sold_out = summary(&[(0, Some((5, "SGD"))), (10, None)], 50);
        assert_eq!(amounts(&sold_out), [Some(5), Some(5), None, Some(5), None]);
        assert_eq!(sold_out.average.unwrap().price.amount, 5);
    }
}
