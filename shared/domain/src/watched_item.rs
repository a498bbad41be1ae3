//! Watched items: what is known of a page now, when it is looked at again, and what it said before.

use crate::{
    Money, Timestamp,
    observation::{Availability, ItemId, Observation, Reason, Validators},
    price_record::PriceRecord,
};
use serde::{Deserialize, Serialize};

/// Items are looked at in ticks of this length, in seconds.
pub const TICK_SECONDS: u64 = 15 * 60;

/// How often an item is looked at: the more often, the shorter its price has held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pace {
    /// Every 15 minutes.
    #[serde(rename = "15m")]
    QuarterHour,
    /// Every hour.
    #[serde(rename = "1h")]
    Hour,
    /// Every 6 hours.
    #[serde(rename = "6h")]
    SixHours,
    /// Every day.
    #[serde(rename = "24h")]
    Day,
}

impl Pace {
    /// All of them, the fastest first.
    pub const ALL: [Self; 4] = [Self::QuarterHour, Self::Hour, Self::SixHours, Self::Day];

    /// The pace as it is stored.
    pub fn code(self) -> &'static str {
        match self {
            Self::QuarterHour => "15m",
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
        }
    }

    /// The number of ticks between two looks.
    pub fn ticks(self) -> u64 {
        match self {
            Self::QuarterHour => 1,
            Self::Hour => 4,
            Self::SixHours => 24,
            Self::Day => 96,
        }
    }

    /// The pace of an item whose price has held for this long.
    pub fn of_quiet(seconds: u64) -> Self {
        match seconds {
            0..21_600 => Self::QuarterHour,
            21_600..259_200 => Self::Hour,
            259_200..2_592_000 => Self::SixHours,
            _ => Self::Day,
        }
    }
}

/// Where an item waits to be looked at: it comes round every [`Pace::ticks`] without a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The pace of the items.
    pub pace: Pace,
    /// The remainder of the ticks at which they are due.
    pub number: u64,
}

impl Slot {
    /// The slot of an item: items of one pace are spread over its ticks by their ids.
    pub fn of(item: ItemId, pace: Pace) -> Self {
        let [a, b, ..] = *item.as_bytes();
        Self { pace, number: u64::from(u16::from_be_bytes([a, b])) % pace.ticks() }
    }

    /// The slots that are due in the tick of this time.
    pub fn due(now: Timestamp) -> [Self; 4] {
        let tick = now.unix_seconds() / TICK_SECONDS;
        Pace::ALL.map(|pace| Self { pace, number: tick % pace.ticks() })
    }
}

/// Items of one pace, of the hosts of one shard, which are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueList {
    /// Their pace.
    pub pace: Pace,
    /// Their slot; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
    /// The shard of their hosts.
    pub shard: char,
}

impl DueList {
    /// The lists of a shard that are due at this time; all of its items if there is none.
    pub fn of_shard(shard: char, now: Option<Timestamp>) -> [Self; 4] {
        match now {
            Some(now) => Slot::due(now).map(|Slot { pace, number }| Self { pace, slot: Some(number), shard }),
            None => Pace::ALL.map(|pace| Self { pace, slot: None, shard }),
        }
    }
}

/// The last look at a page, if it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCheck {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub at: Timestamp,
}

/// Whether anybody watches an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Interest {
    /// Somebody did when it was last counted, and nobody has ended a watch since.
    #[default]
    Watched,
    /// A watch has ended, perhaps the last one.
    Doubtful,
    /// Nobody does; the page is not looked at.
    Unwatched,
}

impl Interest {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_watched(&self) -> bool {
        *self == Self::Watched
    }
}

/// A watched item, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchedItem {
    /// The item.
    pub item_id: ItemId,
    /// The canonical address.
    pub url: String,
    /// The host, with its port if it is not the scheme's.
    pub host: String,
    /// What the page says; `None` until it could be read.
    pub observation: Option<Observation>,
    /// Since when it says so.
    pub since: Timestamp,
    /// How often it is looked at.
    pub pace: Pace,
    /// What tells whether the page has changed.
    #[serde(default)]
    pub validators: Validators,
    /// The last look, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedCheck>,
    /// Its prices in the currency that it has now; `None` until it had a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<PriceRecord>,
    /// Whether anybody watches it.
    #[serde(default, skip_serializing_if = "Interest::is_watched")]
    pub interest: Interest,
    /// Incremented by each write.
    pub revision: u64,
}

impl WatchedItem {
    /// A new item, with what its page said, or why it could not be read yet.
    pub fn new(
        item_id: ItemId,
        (url, host): (String, String),
        first: Result<(Observation, Validators), Reason>,
        now: Timestamp,
    ) -> Self {
        let failed = first.as_ref().err().map(|reason| FailedCheck { reason: *reason, at: now });
        let (observation, validators) = first.ok().unzip();
        let record = observation.as_ref().and_then(|seen: &Observation| seen.price);
        Self {
            item_id,
            url,
            host,
            observation,
            since: now,
            pace: Pace::Hour,
            validators: validators.unwrap_or_default(),
            failed,
            record: record.map(|price| PriceRecord::begin(price, now)),
            interest: Interest::Watched,
            revision: 1,
        }
    }

    /// A new item that a list of a flash sale has, and nobody watches.
    pub fn in_sale(
        item_id: ItemId,
        address: (String, String),
        observation: Observation,
        read_at: Timestamp,
    ) -> Self {
        let first = Ok((observation, Validators::default()));
        Self { interest: Interest::Unwatched, ..Self::new(item_id, address, first, read_at) }
    }

    /// The item after a list that was read at this time; `None` if there is nothing to write: the list says what is known,
    /// or was read before what is known. An item that somebody watches keeps its name.
    #[must_use]
    pub fn after_list(&self, listed: &Observation, read_at: Timestamp) -> Option<Self> {
        let is_looked_at = self.interest != Interest::Unwatched;
        let name = self.observation.as_ref().filter(|_| is_looked_at).map(|known| known.name.clone());
        let listed = Observation { name: name.unwrap_or_else(|| listed.name.clone()), ..listed.clone() };
        let is_news = self.observation.as_ref() != Some(&listed) && self.since < read_at;
        if is_news { self.after(Ok(Some((listed, Validators::default()))), read_at) } else { None }
    }

    /// The item after a look at its page; `None` if there is nothing to write. A look that finds what is known costs no
    /// write, and neither does a failure after a failure. `seen` is `None` for a page that has not changed (304).
    #[must_use]
    pub fn after(
        &self,
        seen: Result<Option<(Observation, Validators)>, Reason>,
        now: Timestamp,
    ) -> Option<Self> {
        let quiet = now.unix_seconds().saturating_sub(self.since.unix_seconds());
        let mut next = self.clone();
        match seen {
            Err(reason) => {
                next.failed = self
                    .failed
                    .filter(|failed| failed.reason == reason)
                    .or(Some(FailedCheck { reason, at: now }));
            }
            Ok(Some((observation, validators))) if !self.says(&observation) => {
                next.failed = None;
                next.pace = Pace::of_quiet(quiet);
                next.begin(observation, now);
                next.validators = validators;
            }
            // The price holds: the item becomes slower three times in its life, and never faster.
            Ok(seen) => {
                next.failed = None;
                next.pace = self.pace.max(Pace::of_quiet(quiet));
                if let Some((observation, validators)) = seen
                    && self.observation.as_ref() != Some(&observation)
                {
                    (next.observation, next.validators) = (Some(observation), validators);
                }
            }
        }
        next.unless_same_as(self)
    }

    /// Whether the page said the same of the offer. Another name is no other offer.
    fn says(&self, seen: &Observation) -> bool {
        let offer =
            |observation: &Observation| (observation.price, observation.availability, observation.from);
        self.observation.as_ref().map(offer) == Some(offer(seen))
    }

    /// Ends what the page said. Times increase even if the clock does not, because past prices are stored by them.
    fn begin(&mut self, observation: Observation, now: Timestamp) {
        let next = Timestamp::from_unix_milliseconds(self.since.unix_milliseconds() + 1);
        let since = if self.observation.is_some() { now.max(next) } else { now };
        let ended = self.observation.as_ref().and_then(|observation| observation.price);
        self.record = match self.record.take() {
            Some(record) => Some(record.after(ended, self.since, observation.price, since)),
            None => observation.price.map(|price| PriceRecord::begin(price, since)),
        };
        (self.observation, self.since) = (Some(observation), since);
    }

    /// The item with this interest; `None` if it has it.
    #[must_use]
    pub fn with_interest(&self, interest: Interest) -> Option<Self> {
        Self { interest, ..self.clone() }.unless_same_as(self)
    }

    fn unless_same_as(mut self, before: &Self) -> Option<Self> {
        if self == *before {
            return None;
        }
        self.revision = before.revision + 1;
        Some(self)
    }

    /// What the page said until the next one, for the list of its prices.
    pub fn past(&self) -> Option<PastPrice> {
        let Observation { price, availability, from, .. } = *self.observation.as_ref()?;
        Some(PastPrice { price, availability, from, since: self.since })
    }
}

/// What a page said at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPrice {
    /// The price.
    pub price: Option<Money>,
    /// Whether the product could be bought.
    pub availability: Availability,
    /// Whether the price was the lowest of several.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from: bool,
    /// Since when.
    pub since: Timestamp,
}

/// The shards of the items that are due.
pub const SHARDS: &str = "0123456789abcdef";

/// The shard of a host: all its items are in one, so that the worker of the shard keeps to the host's limits.
pub fn shard_of(host: &str) -> char {
    // FNV-1a: the same in every version of this code, because items are stored under it.
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = host.bytes().fold(0x811c_9dc5, fold);
    char::from_digit((hash ^ (hash >> 16)) & 15, 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60;
    const DAY: u64 = 24 * HOUR;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn seen(amount: i64) -> (Observation, Validators) {
        let price = Some(Money { amount, currency: "SGD".parse().unwrap() });
        let observation =
            Observation { name: "Tea".to_owned(), price, availability: Availability::InStock, from: false };
        (observation, Validators::default())
    }

    fn item() -> WatchedItem {
        let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        WatchedItem::new(ItemId::of_digest(&[7; 32]), address, Ok(seen(100)), at(0))
    }

    #[test]
    fn a_look_that_finds_what_is_known_is_not_written() {
        let item = item();
        for seconds in [0, 900, 86_400, 259_199] {
            assert_eq!(item.after(Ok(Some(seen(100))), at(seconds)), None, "{seconds}");
            assert_eq!(item.after(Ok(None), at(seconds)), None, "{seconds}");
        }
    }

    #[test]
    fn a_change_begins_a_new_price_and_sets_the_pace() {
        for (seconds, pace) in [
            (900, Pace::QuarterHour),
            (6 * HOUR, Pace::Hour),
            (3 * DAY, Pace::SixHours),
            (30 * DAY, Pace::Day),
        ] {
            let next = item().after(Ok(Some(seen(90))), at(seconds)).unwrap();
            assert_eq!((next.since, next.pace, next.revision), (at(seconds), pace, 2));
            assert_eq!(next.observation, Some(seen(90).0));
        }
    }

    #[test]
    fn an_item_whose_price_holds_becomes_slower_once_for_each_pace() {
        let mut item = item();
        let mut writes = Vec::new();
        for hour in 0..24 * 40 {
            if let Some(next) = item.after(Ok(None), at(hour * HOUR)) {
                writes.push((hour / 24, next.pace));
                item = next;
            }
        }
        assert_eq!(writes, [(3, Pace::SixHours), (30, Pace::Day)]);
    }

    #[test]
    fn a_failure_is_written_when_it_begins_and_ends() {
        let item = item();
        let failed = item.after(Err(Reason::Timeout), at(900)).unwrap();
        assert_eq!(failed.failed, Some(FailedCheck { reason: Reason::Timeout, at: at(900) }));
        assert_eq!((failed.since, &failed.observation), (item.since, &item.observation));
        assert_eq!(failed.after(Err(Reason::Timeout), at(1800)), None);
        assert!(failed.after(Err(Reason::Dns), at(1800)).is_some());
        let recovered = failed.after(Ok(Some(seen(100))), at(2700)).unwrap();
        assert_eq!((recovered.failed, recovered.since), (None, item.since));
    }

    #[test]
    fn a_page_that_could_not_be_read_at_first_has_no_past() {
        let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        let item = WatchedItem::new(ItemId::of_digest(&[7; 32]), address, Err(Reason::Dns), at(0));
        assert_eq!(item.past(), None);
        let read = item.after(Ok(Some(seen(100))), at(900)).unwrap();
        assert_eq!(read.past().map(|past| past.since), Some(at(900)));
    }

    #[test]
    fn another_name_is_no_other_price() {
        let (mut observation, validators) = seen(100);
        observation.name = "Green tea".to_owned();
        let next = item().after(Ok(Some((observation.clone(), validators))), at(900)).unwrap();
        assert_eq!((next.observation, next.since), (Some(observation), at(0)));
    }

    #[test]
    fn times_of_prices_increase_even_if_the_clock_goes_back() {
        let first = item().after(Ok(Some(seen(90))), at(900)).unwrap();
        let second = first.after(Ok(Some(seen(80))), at(100)).unwrap();
        assert_eq!(second.since.unix_milliseconds(), 900_001);
        let third = second.after(Ok(Some(seen(70))), at(100)).unwrap();
        assert_eq!(third.since.unix_milliseconds(), 900_002);
    }

    #[test]
    fn interest_is_written_when_it_changes() {
        let item = item();
        assert_eq!(item.with_interest(Interest::Watched), None);
        let doubtful = item.with_interest(Interest::Doubtful).unwrap();
        assert_eq!((doubtful.interest, doubtful.revision), (Interest::Doubtful, 2));
        assert_eq!(doubtful.after(Ok(None), at(900)), None);
        let stored = serde_json::to_value(&item).unwrap();
        assert_eq!(stored.get("interest"), None);
        assert_eq!(serde_json::from_value::<WatchedItem>(stored).unwrap(), item);
    }

    #[test]
    fn a_list_changes_an_item_unless_it_is_older() {
        let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        let item = WatchedItem::in_sale(ItemId::of_digest(&[7; 32]), address, seen(100).0, at(100));
        assert_eq!(item.after_list(&seen(100).0, at(900)), None);
        assert_eq!(item.after_list(&seen(90).0, at(100)), None);
        let next = item.after_list(&seen(90).0, at(101)).unwrap();
        assert_eq!(
            (next.since, next.interest, next.observation),
            (at(101), Interest::Unwatched, Some(seen(90).0))
        );
        // The list's name is not that of the page.
        let watched = item.with_interest(Interest::Watched).unwrap();
        assert_eq!((watched.revision, watched.with_interest(Interest::Watched)), (2, None));
        let listed = |amount| Observation { name: "Tea, now cheap".to_owned(), ..seen(amount).0 };
        assert_eq!(watched.after_list(&listed(100), at(900)), None);
        assert_eq!(watched.after_list(&listed(90), at(900)).unwrap().observation, Some(seen(90).0));
        assert_eq!(item.after_list(&listed(90), at(900)).unwrap().observation, Some(listed(90)));
    }

    #[test]
    fn every_item_is_due_once_in_its_pace() {
        for pace in Pace::ALL {
            let slot = Slot::of(ItemId::of_digest(&[0xa7; 32]), pace);
            let due = (0..96).filter(|tick| Slot::due(at(tick * TICK_SECONDS + 1)).contains(&slot)).count();
            assert_eq!(u64::try_from(due).unwrap(), 96 / pace.ticks(), "{}", pace.code());
        }
    }

    #[test]
    fn hosts_keep_their_shards() {
        assert_eq!(["shop.com", "shop.de", "127.0.0.1:8080"].map(shard_of), ['0', '9', '6']);
        let shards: std::collections::BTreeSet<char> =
            (0..1000).map(|number| shard_of(&format!("shop{number}.com"))).collect();
        assert_eq!(shards.into_iter().collect::<String>(), SHARDS);
    }

    #[test]
    fn paces_are_stored_by_their_codes() {
        for pace in Pace::ALL {
            assert_eq!(serde_json::to_value(pace).unwrap(), pace.code());
        }
    }
}
