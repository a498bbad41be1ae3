//! Alerts: what a user wants to be told about a watched item, and which of them a change of its price crosses.

use crate::{
    Fault, Money, Timestamp,
    currency::Currency,
    input::{Checked, Members, elements, integer},
    observation::{Availability, ItemId, Observation},
    text::string,
    watched_item::{PastPrice, WatchedItem},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The maximum number of alerts of a watch.
pub const MOST_ALERTS: usize = 20;

/// The longest period of an alert `lowest`, in days.
pub const MOST_DAYS: u16 = 365;

/// The period of an alert `lowest` that names none, in days.
const DEFAULT_DAYS: u16 = 30;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The kind of an alert, and of the notification that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlertKind {
    /// The price falls to an amount or below it.
    Target,
    /// The price falls by a part of what it was when the alert was set.
    Drop,
    /// The price changes.
    Any,
    /// The product can be bought again.
    BackInStock,
    /// The price is the lowest of a period.
    Lowest,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Target, Self::Drop, Self::Any, Self::BackInStock, Self::Lowest];

    /// The kind as clients read it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Drop => "drop",
            Self::Any => "any",
            Self::BackInStock => "backInStock",
            Self::Lowest => "lowest",
        }
    }
}

/// An alert, as a user sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Alert {
    /// The price falls to this amount or below it.
    Target {
        /// The amount.
        price: Money,
    },
    /// The price falls by this part of what it was when the alert was set.
    Drop {
        /// The part: 1 to 99 percent.
        percent: u8,
    },
    /// The price changes.
    Any,
    /// The product can be bought again.
    BackInStock,
    /// The price falls below all others of a period.
    Lowest {
        /// The period: 1 to [`MOST_DAYS`] days.
        days: u16,
    },
}

impl Alert {
    /// Parses one alert, or lists every fault.
    fn from_value(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let kind = members.required("kind", kind);
        let is_or_unknown = |expected| kind.is_none_or(|kind| kind == expected);
        // If the kind is faulty, the members of all kinds are read, so that none of them is called unknown.
        let price = is_or_unknown(AlertKind::Target).then(|| {
            let is_optional = kind.is_none() && !members.has("price");
            if is_optional { None } else { members.required("price", Money::price) }
        });
        let percent = is_or_unknown(AlertKind::Drop).then(|| {
            let is_optional = kind.is_none() && !members.has("percent");
            if is_optional { None } else { members.required("percent", |value| percent(&value)) }
        });
        let days = is_or_unknown(AlertKind::Lowest).then(|| {
            if members.has("days") {
                members.optional("days", |value| days(&value))
            } else {
                Some(DEFAULT_DAYS)
            }
        });
        members.finish(|| {
            Some(match kind? {
                AlertKind::Target => Self::Target { price: price.flatten()? },
                AlertKind::Drop => Self::Drop { percent: percent.flatten()? },
                AlertKind::Any => Self::Any,
                AlertKind::BackInStock => Self::BackInStock,
                AlertKind::Lowest => Self::Lowest { days: days.flatten()? },
            })
        })
    }

    /// Parses the alerts of a watch, or lists every fault.
    pub fn list_from_value(value: Value) -> Checked<Vec<Self>> {
        let mut read: Vec<Self> = Vec::new();
        elements(value, 0, MOST_ALERTS, |value| {
            let alert = Self::from_value(value)?;
            if read.contains(&alert) {
                return Err(vec![Fault::here("must not be the same as an earlier one")]);
            }
            read.push(alert);
            Ok(alert)
        })
    }

    /// The kind.
    pub fn kind(&self) -> AlertKind {
        match self {
            Self::Target { .. } => AlertKind::Target,
            Self::Drop { .. } => AlertKind::Drop,
            Self::Any => AlertKind::Any,
            Self::BackInStock => AlertKind::BackInStock,
            Self::Lowest { .. } => AlertKind::Lowest,
        }
    }
}

fn kind(value: Value) -> Checked<AlertKind> {
    let code = string(value)?;
    let known = AlertKind::ALL.into_iter().find(|kind| kind.code() == code);
    known.ok_or_else(|| vec![Fault::here("must be target, drop, any, backInStock or lowest")])
}

fn percent(value: &Value) -> Checked<u8> {
    integer(value, 1, 99).map(|percent| u8::try_from(percent).unwrap_or(99))
}

fn days(value: &Value) -> Checked<u16> {
    integer(value, 1, MOST_DAYS.into()).map(|days| u16::try_from(days).unwrap_or(MOST_DAYS))
}

/// An alert that is set for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAlert {
    /// The alert.
    pub alert: Alert,
    /// The amount at or below which an alert `drop` tells; `None` until the item has a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Money>,
    /// Since when the item's page had said what it said when the alert was set. Only later changes are told.
    pub seen: Timestamp,
}

/// Where an alert waits for changes that cross it. An item's alerts are stored by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The price falls to this amount or below it.
    Price(Money),
    /// The item has a price, from which the threshold of an alert `drop` follows.
    FirstPrice,
    /// The price changes.
    AnyPrice,
    /// The product can be bought again.
    Stock,
    /// The price falls below all others of this number of days.
    Lowest(u16),
}

impl SetAlert {
    /// Sets an alert for an item.
    pub fn new(alert: Alert, item: &WatchedItem) -> Self {
        let unanchored = Self { alert, threshold: None, seen: item.since };
        match item.observation.as_ref().and_then(|observation| observation.price) {
            Some(price) => unanchored.anchored(price, item.since),
            None => unanchored,
        }
    }

    /// The alert with the threshold that follows from this price of the item, if it has to have one and has none.
    #[must_use]
    pub fn anchored(self, price: Money, seen: Timestamp) -> Self {
        match self.alert {
            Alert::Drop { percent } if self.threshold.is_none() => {
                // Rounded down, so that the price has fallen by the whole part. 128 bits hold the product.
                let kept = i128::from(price.amount) * i128::from(100 - percent) / 100;
                let amount = i64::try_from(kept).unwrap_or(price.amount);
                let threshold = Some(Money { amount, currency: price.currency });
                Self { threshold, seen, ..self }
            }
            _ => self,
        }
    }

    /// Where it waits.
    pub fn trigger(&self) -> Trigger {
        match (self.alert, self.threshold) {
            (Alert::Target { price }, _) | (Alert::Drop { .. }, Some(price)) => Trigger::Price(price),
            (Alert::Drop { .. }, None) => Trigger::FirstPrice,
            (Alert::Any, _) => Trigger::AnyPrice,
            (Alert::BackInStock, _) => Trigger::Stock,
            (Alert::Lowest { days }, _) => Trigger::Lowest(days),
        }
    }

    /// The alerts of a watch after the user has replaced them by `wanted`: those that were set before stay as they are.
    pub fn replace(current: &[Self], wanted: &[Alert], item: &WatchedItem) -> Vec<Self> {
        let kept = |alert: &Alert| current.iter().find(|set| set.alert == *alert).copied();
        wanted.iter().map(|alert| kept(alert).unwrap_or_else(|| Self::new(*alert, item))).collect()
    }
}

/// What a page says that alerts are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// The price; `None` for what is sold out and has none.
    pub price: Option<Money>,
    /// Whether the product can be bought.
    pub availability: Availability,
}

impl From<&Observation> for Offered {
    fn from(observation: &Observation) -> Self {
        Self { price: observation.price, availability: observation.availability }
    }
}

/// A change of a watched item, as it is queued before it is stored. It contains nothing of any user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceChanged {
    /// The item.
    pub item_id: ItemId,
    /// The revision of the item with the change.
    pub revision: u64,
    /// Since when the page says so.
    pub since: Timestamp,
    /// What the page said before; `None` if it could not be read before.
    pub before: Option<Offered>,
    /// What it says.
    pub after: Offered,
    /// The name of the product.
    pub name: String,
    /// The address of the page.
    pub url: String,
}

/// Whether a change has been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is the item's state.
    Yes,
    /// The item's state is older.
    NotYet,
    /// The item's state is newer: either the change is among the past prices, or another look was faster.
    OrReplaced,
}

/// A range of the triggers of an item's alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerRange {
    /// [`Trigger::Price`] from `lowest` to below `below`; without `below`, to the highest.
    Prices {
        /// The currency.
        currency: Currency,
        /// The lowest amount of the range.
        lowest: i64,
        /// The amount after the highest.
        below: Option<i64>,
    },
    /// [`Trigger::FirstPrice`].
    FirstPrice,
    /// [`Trigger::AnyPrice`].
    AnyPrice,
    /// [`Trigger::Stock`].
    Stock,
    /// [`Trigger::Lowest`] of up to this number of days.
    Lowest {
        /// The number of days.
        days: u16,
    },
}

impl PriceChanged {
    /// The change from one state of an item to another; `None` if neither price nor availability differ.
    pub fn between(seen: &WatchedItem, next: &WatchedItem) -> Option<Self> {
        let observation = next.observation.as_ref()?;
        let (before, after) = (seen.observation.as_ref().map(Offered::from), Offered::from(observation));
        (before != Some(after)).then(|| Self {
            item_id: next.item_id,
            revision: next.revision,
            since: next.since,
            before,
            after,
            name: observation.name.clone(),
            url: next.url.clone(),
        })
    }

    /// Whether the change has been stored, as far as the item's state tells.
    pub fn stored(&self, item: &WatchedItem) -> Stored {
        let is_state = item.since == self.since
            && item.observation.as_ref().is_some_and(|observation| Offered::from(observation) == self.after);
        if is_state {
            Stored::Yes
        } else if item.revision < self.revision {
            Stored::NotYet
        } else {
            Stored::OrReplaced
        }
    }

    /// Whether it is this past price. One is stored only of a state that the item had.
    pub fn is(&self, past: &PastPrice) -> bool {
        let PastPrice { price, availability, since, .. } = *past;
        since == self.since && Offered { price, availability } == self.after
    }

    /// The ranges of the triggers that the change crosses. Nothing is compared across currencies, and a page that stated
    /// no price is above all prices. That of the lowest prices is the longest one; [`LowestSince`] narrows it.
    pub fn crossed(&self) -> Vec<TriggerRange> {
        let (old, new) = (self.before.and_then(|before| before.price), self.after.price);
        let mut ranges = Vec::new();
        if let Some(new) = new {
            let lowest = new.amount;
            match old {
                Some(old) if old.currency != new.currency => ranges.push(TriggerRange::FirstPrice),
                Some(old) if old.amount <= lowest => {}
                Some(old) => ranges.push(TriggerRange::Prices {
                    currency: new.currency,
                    lowest,
                    below: Some(old.amount),
                }),
                None => {
                    ranges.push(TriggerRange::FirstPrice);
                    ranges.push(TriggerRange::Prices { currency: new.currency, lowest, below: None });
                }
            }
            let may_be_lowest = old.is_none_or(|old| old.currency == new.currency && old.amount > new.amount);
            if self.before.is_some() && may_be_lowest {
                ranges.push(TriggerRange::Lowest { days: MOST_DAYS });
            }
        }
        let is_other_currency = old.zip(new).is_some_and(|(old, new)| old.currency != new.currency);
        if self.before.is_some() && old != new && !is_other_currency {
            ranges.push(TriggerRange::AnyPrice);
        }
        let was_in_stock = self.before.is_some_and(|before| before.availability == Availability::InStock);
        if self.after.availability == Availability::InStock && !was_in_stock {
            ranges.push(TriggerRange::Stock);
        }
        ranges
    }
}

/// For how many days all other prices were higher than that of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowestSince {
    price: Money,
    since: Timestamp,
    /// The start of the price that was read last.
    read_until: Timestamp,
    found: Option<Timestamp>,
    has_higher: bool,
}

impl LowestSince {
    /// Of a change, before any past price was read; `None` if the change has no price.
    pub fn new(change: &PriceChanged) -> Option<Self> {
        let (price, since) = (change.after.price?, change.since);
        Some(Self { price, since, read_until: since, found: None, has_higher: false })
    }

    /// Reads the next older past price. Returns whether older ones can matter.
    pub fn read(&mut self, past: &PastPrice) -> bool {
        let until = std::mem::replace(&mut self.read_until, past.since);
        if let Some(price) = past.price.filter(|price| price.currency == self.price.currency) {
            self.has_higher = true;
            if price.amount <= self.price.amount {
                self.found = Some(until);
            }
        }
        self.found.is_none() && self.whole_days_from(past.since) < MOST_DAYS.into()
    }

    /// The longest period in days of which it is the lowest price; 0 if of none. `all` says whether all past prices were
    /// read that could matter; otherwise only the period that was read counts.
    pub fn days(&self, all: bool) -> u16 {
        let days = match self.found {
            Some(end) => self.whole_days_from(end),
            None if !self.has_higher => 0,
            None if all => MOST_DAYS.into(),
            None => self.whole_days_from(self.read_until),
        };
        u16::try_from(days).map_or(MOST_DAYS, |days| days.min(MOST_DAYS))
    }

    fn whole_days_from(&self, start: Timestamp) -> u64 {
        self.since.unix_milliseconds().saturating_sub(start.unix_milliseconds()) / DAY_MS
    }
}

#[path = "alert_tests.rs"]
mod tests;
