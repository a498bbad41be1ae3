//! Flash sales: the sessions that a shop publishes, and the items of each.

use crate::{
    Timestamp,
    id::NotAnId,
    observation::{ItemId, Observation},
};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};

/// The most sessions of a source that are read. The report of an execution has to fit into 256 KiB.
pub const MOST_SESSIONS: usize = 20;

/// The longest identifier of a session, in characters.
const LONGEST_ID: usize = 100;

/// How long a session and its items are stored after its end, in seconds.
const KEPT_SECONDS: u64 = 7 * 24 * 3600;

/// The identifier of a session, as the shop gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SaleId(String);

impl SaleId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SaleId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let fits = (1..=LONGEST_ID).contains(&text.chars().count()) && text.trim() == text;
        if fits && !text.chars().any(char::is_control) { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
    }
}

impl<'de> Deserialize<'de> for SaleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("not an identifier of a session"))
    }
}

impl fmt::Display for SaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session of a flash sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlashSale {
    /// The shop's identifier.
    pub id: SaleId,
    /// The name.
    pub name: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it is over.
    pub ends_at: Timestamp,
    /// The address of its items.
    pub url: String,
    /// When the source was read that said so first.
    pub read_at: Timestamp,
}

impl FlashSale {
    /// Whether it has begun and is not over.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// Whether both say the same, whenever it was read.
    pub fn says_what(&self, other: &Self) -> bool {
        let Self { id, name, starts_at, ends_at, url, read_at: _ } = self;
        (id, name, url) == (&other.id, &other.name, &other.url)
            && (starts_at, ends_at) == (&other.starts_at, &other.ends_at)
    }

    /// When it is not stored any more.
    pub fn expires_at(&self) -> Timestamp {
        self.ends_at.plus_seconds(KEPT_SECONDS)
    }
}

/// A session of the source that cannot be crawled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedSession {
    /// Its place in the list, from 1 on.
    pub position: usize,
    /// What is wrong with it.
    pub fault: &'static str,
}

/// An item of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleItem {
    /// The watched item.
    pub item_id: ItemId,
    /// The canonical address.
    pub url: String,
    /// What the session's list says of it.
    pub observation: Observation,
    /// When the list was read that said so first.
    pub read_at: Timestamp,
    /// When it is not stored any more.
    pub expires_at: Timestamp,
}

impl SaleItem {
    /// Whether the stored item need not be written for what a list says now: it says the same, and is stored until the
    /// session ends. The session's end may move without a write for each of its items.
    pub fn is_known(&self, observation: &Observation, sale: &FlashSale) -> bool {
        self.observation == *observation && self.expires_at >= sale.ends_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Availability;
    use serde_json::json;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn id() -> SaleId {
        "noon/1".parse().unwrap()
    }

    #[test]
    fn identifiers_are_short_texts_of_one_line() {
        for text in ["now", "2026-11-21 12:00", "a#b/c", "午前"] {
            assert_eq!(text.parse::<SaleId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        let long = "x".repeat(101);
        for text in ["", " now", "now ", "a\nb", long.as_str()] {
            assert_eq!(text.parse::<SaleId>(), Err(NotAnId), "{text}");
        }
        assert!(serde_json::from_value::<SaleId>(json!("")).is_err());
    }

    #[test]
    fn a_session_is_on_from_its_start_until_its_end() {
        let sale = FlashSale {
            id: id(),
            name: "Noon".to_owned(),
            starts_at: at(100),
            ends_at: at(200),
            url: "https://shop.com/sale".to_owned(),
            read_at: at(0),
        };
        assert_eq!([99, 100, 199, 200].map(|now| sale.is_on(at(now))), [false, true, true, false]);
        assert!(sale.says_what(&FlashSale { read_at: at(9), ..sale.clone() }));
        assert!(!sale.says_what(&FlashSale { ends_at: at(201), ..sale.clone() }));
        let observation = Observation {
            name: "Tea".into(),
            price: None,
            availability: Availability::OutOfStock,
            from: false,
        };
        let item = SaleItem {
            item_id: ItemId::of_digest(&[7; 32]),
            url: "https://shop.com/tea".to_owned(),
            observation: observation.clone(),
            read_at: at(0),
            expires_at: sale.expires_at(),
        };
        // The end may move by a week before the items have to be written again.
        for (seconds, known) in [(0, true), (KEPT_SECONDS, true), (KEPT_SECONDS + 1, false)] {
            let moved = FlashSale { ends_at: sale.ends_at.plus_seconds(seconds), ..sale.clone() };
            assert_eq!(item.is_known(&observation, &moved), known, "{seconds}");
        }
    }
}
