//! What an item keeps of its prices, so that their summary needs no history: one currency's lowest, highest and average.

use crate::{Money, Timestamp, currency::Currency};
use serde::{Deserialize, Serialize};

/// A price, and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatedPrice {
    /// The price.
    pub price: Money,
    /// When it began.
    pub at: Timestamp,
}

/// An amount, and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Extreme {
    amount: i64,
    at: Timestamp,
}

/// The prices of an item in the currency that it has now. Another currency begins a new record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRecord {
    currency: Currency,
    /// When its first price began.
    pub since: Timestamp,
    lowest: Extreme,
    highest: Extreme,
    /// The sum of amount × milliseconds of the prices that have ended.
    #[serde(with = "decimal")]
    weight: i128,
    /// For how long these prices held together, in milliseconds.
    held: u64,
}

impl PriceRecord {
    /// A record of one price.
    pub fn begin(price: Money, at: Timestamp) -> Self {
        let first = Extreme { amount: price.amount, at };
        Self { currency: price.currency, since: at, lowest: first, highest: first, weight: 0, held: 0 }
    }

    /// The record after a price that held from `since` on ended at `now`, and another one began. A page without a price
    /// pauses it.
    #[must_use]
    pub fn after(
        mut self,
        ended: Option<Money>,
        since: Timestamp,
        begun: Option<Money>,
        now: Timestamp,
    ) -> Self {
        if let Some(price) = ended {
            (self.weight, self.held) = self.including(price, since, now);
        }
        match begun {
            Some(price) if price.currency != self.currency => Self::begin(price, now),
            Some(price) => {
                let begun = Extreme { amount: price.amount, at: now };
                if price.amount < self.lowest.amount {
                    self.lowest = begun;
                }
                if price.amount > self.highest.amount {
                    self.highest = begun;
                }
                self
            }
            None => self,
        }
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The lowest price, and when it began first.
    pub fn lowest(&self) -> DatedPrice {
        self.dated(self.lowest)
    }

    /// The highest price, and when it began first.
    pub fn highest(&self) -> DatedPrice {
        self.dated(self.highest)
    }

    /// The average by time, to the nearest minor unit; times without a price do not count. `current` has held from
    /// `since` on.
    pub fn average(&self, current: Option<Money>, since: Timestamp, now: Timestamp) -> Money {
        let (weight, held) =
            current.map_or((self.weight, self.held), |price| self.including(price, since, now));
        let amount = match i128::from(held) {
            0 => current.map_or(self.lowest.amount, |price| price.amount),
            held => i64::try_from((weight + held / 2).div_euclid(held)).unwrap_or(i64::MAX),
        };
        Money { amount, currency: self.currency }
    }

    fn including(&self, price: Money, since: Timestamp, until: Timestamp) -> (i128, u64) {
        let held = until.unix_milliseconds().saturating_sub(since.unix_milliseconds());
        // Amounts are below 2^63 and times below 2^48.
        (self.weight + i128::from(price.amount) * i128::from(held), self.held.saturating_add(held))
    }

    fn dated(&self, Extreme { amount, at }: Extreme) -> DatedPrice {
        DatedPrice { price: Money { amount, currency: self.currency }, at }
    }
}

/// A number that is stored as text: the table's client reads numbers of 64 bits at most.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, currency: &str) -> Money {
        Money { amount, currency: currency.parse().unwrap() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a page may state no price")]
    fn sgd(amount: i64) -> Option<Money> {
        Some(money(amount, "SGD"))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    #[test]
    fn the_lowest_and_the_highest_are_those_that_began_first() {
        let record = PriceRecord::begin(money(100, "SGD"), at(0))
            .after(sgd(100), at(0), sgd(80), at(10))
            .after(sgd(80), at(10), sgd(120), at(20))
            .after(sgd(120), at(20), sgd(80), at(30))
            .after(sgd(80), at(30), sgd(120), at(40));
        assert_eq!(record.lowest(), DatedPrice { price: money(80, "SGD"), at: at(10) });
        assert_eq!(record.highest(), DatedPrice { price: money(120, "SGD"), at: at(20) });
    }

    #[test]
    fn the_average_is_by_time_and_leaves_out_times_without_a_price() {
        let record = PriceRecord::begin(money(100, "SGD"), at(0));
        assert_eq!(record.average(sgd(100), at(0), at(0)), money(100, "SGD"));
        let record = record.after(sgd(100), at(0), None, at(30)).after(None, at(30), sgd(40), at(1000));
        assert_eq!(record.average(sgd(40), at(1000), at(1010)), money(85, "SGD"));
        // 3030 / 31 = 97.7
        assert_eq!(
            PriceRecord::begin(money(100, "SGD"), at(0)).after(sgd(100), at(0), sgd(30), at(30)).average(
                sgd(30),
                at(30),
                at(31)
            ),
            money(98, "SGD")
        );
    }

    #[test]
    fn another_currency_begins_a_new_record() {
        let record = PriceRecord::begin(money(100, "SGD"), at(0));
        let record = record.after(sgd(100), at(0), Some(money(7, "EUR")), at(10));
        assert_eq!(record, PriceRecord::begin(money(7, "EUR"), at(10)));
        // Nothing is compared with the price of a page that stated none in between.
        let paused = record.clone().after(Some(money(7, "EUR")), at(10), None, at(20));
        assert_eq!(paused.after(None, at(20), sgd(5), at(30)), PriceRecord::begin(money(5, "SGD"), at(30)));
    }

    #[test]
    fn the_largest_amounts_of_a_century_fit() {
        let century = at(100 * 366 * 86_400);
        let record =
            PriceRecord::begin(money(i64::MAX, "SGD"), at(0)).after(sgd(i64::MAX), at(0), sgd(1), century);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<PriceRecord>(&text).unwrap(), record);
        assert_eq!(record.average(None, at(0), century), money(i64::MAX, "SGD"));
    }
}
