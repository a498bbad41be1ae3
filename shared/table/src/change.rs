//! Changes of the table, as its stream tells them.

use crate::keys::{self, Key};
use domain::{
    Error,
    id::{ProductId, UserId},
    review::{Outline, Stars},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;

/// Where a change stands in its shard: DynamoDB's sequence number, padded to a fixed width so that text sorts as the
/// number does. The numbers of one item's changes, and of one partition's, only ever grow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(String);

/// The most digits that a sequence number has
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html>).
const DIGITS: usize = 40;

impl Sequence {
    /// Reads what the stream says.
    pub fn parse(number: &str) -> Option<Self> {
        let digits =
            !number.is_empty() && number.len() <= DIGITS && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| Self(format!("{number:0>DIGITS$}")))
    }

    /// The padded number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record of the stream, as Lambda hands it on. Its images are not taken apart before it is known whose they are:
/// most of a batch's work is that.
#[derive(Debug, Deserialize)]
pub struct Record {
    dynamodb: Images,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    sequence_number: String,
    keys: Keys,
    old_image: Option<Box<RawValue>>,
    new_image: Option<Box<RawValue>>,
}

/// The primary key, as the stream has it.
#[derive(Debug, Deserialize)]
struct Keys {
    pk: Text,
    sk: Text,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

/// One item's change: what it was and what it is now; nothing before it was written and after it was deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where it stands.
    pub sequence: Sequence,
    /// What changed.
    pub of: Changed,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Changed {
    /// A product.
    Product(ProductId),
    /// A product's rating.
    Rating(ProductId),
    /// A review.
    Review {
        /// Of which product.
        product: ProductId,
        /// By whom.
        author: UserId,
        /// Before.
        old: Option<Outline>,
        /// After.
        new: Option<Outline>,
    },
    /// Something that no consumer asks for.
    Other,
}

impl Record {
    /// The sequence number as the stream wrote it: what a failure is reported by.
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// The change that it tells.
    pub fn read(self) -> Result<Change, Error> {
        let Images { sequence_number, keys, old_image, new_image } = self.dynamodb;
        let sequence = Sequence::parse(&sequence_number)
            .ok_or_else(|| Error::internal(format!("a sequence number of {sequence_number:?}")))?;
        let key = Key { pk: keys.pk.text, sk: keys.sk.text };
        let of = changed(&key, old_image, new_image)?;
        Ok(Change { sequence, of })
    }
}

fn changed(key: &Key, old: Option<Box<RawValue>>, new: Option<Box<RawValue>>) -> Result<Changed, Error> {
    let Some(id) = keys::parse_product_partition(&key.pk) else { return Ok(Changed::Other) };
    let outline = |image: Option<Box<RawValue>>| image.map(|image| outline(&image)).transpose();
    match (key.sk.as_str(), keys::parse_review(&key.sk)) {
        (keys::PRODUCT, _) => Ok(Changed::Product(id)),
        (keys::RATING, _) => Ok(Changed::Rating(id)),
        (_, Some(author)) => {
            Ok(Changed::Review { product: id, author, old: outline(old)?, new: outline(new)? })
        }
        _ => Ok(Changed::Other),
    }
}

/// What of a review's image is read: its words are passed over where they stand.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewImage<'a> {
    #[serde(borrow)]
    rating: Number<'a>,
    #[serde(borrow)]
    version: Number<'a>,
    created_at: Text,
}

#[derive(Deserialize)]
struct Number<'a> {
    #[serde(rename = "N")]
    digits: &'a str,
}

fn outline(image: &RawValue) -> Result<Outline, Error> {
    let broken = || Error::internal("a review's image that does not read");
    let image: ReviewImage<'_> = serde_json::from_str(image.get()).map_err(|_| broken())?;
    let rating = image.rating.digits.parse().ok().and_then(Stars::new).ok_or_else(broken)?;
    let version = image.version.digits.parse().map_err(|_| broken())?;
    let created_at = image.created_at.text.parse().map_err(|_| broken())?;
    Ok(Outline { rating, version, created_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Event {
        records: Vec<Record>,
    }

    fn changes() -> Vec<Change> {
        let event: Event = serde_json::from_str(include_str!("../../../events/stream.json")).unwrap();
        event.records.into_iter().map(|record| record.read().unwrap()).collect()
    }

    #[test]
    fn old_and_new_are_read() {
        let stars = |review: Option<Outline>| review.map(|review| review.rating.get());
        let seen: Vec<_> = changes()
            .iter()
            .map(|change| match &change.of {
                Changed::Review { old, new, .. } => (stars(*old), stars(*new)),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seen, [(None, Some(5)), (Some(5), Some(4)), (Some(4), None)]);
    }

    #[test]
    fn sequence_numbers_sort_as_numbers() {
        let changes = changes();
        assert!(changes.is_sorted_by(|a, b| a.sequence < b.sequence));
        assert!(Sequence::parse("9") < Sequence::parse("10"));
        for bad in ["", "x", "-1", &"1".repeat(41)] {
            assert_eq!(Sequence::parse(bad), None, "{bad}");
        }
    }
}
