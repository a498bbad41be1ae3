//! Records of the table's stream, parsed into changes.

use crate::keys::{self, Key};
use domain::{
    Error, Timestamp,
    id::{ProductId, UserId},
    review::{Outline, Stars},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{fmt, time::Duration};

/// The position of a change: the label of its stream, and its sequence number in the stream, zero-padded to a fixed width
/// so that text sorts as the number does. Within one item collection, sequence numbers increase.
///
/// A table that is restored, or whose stream is turned off and on, has a new stream, whose numbers may start anywhere. A
/// label is the time at which the stream was created, so every position in a newer stream is greater than all positions
/// in an older one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    stream: String,
    number: String,
}

/// The maximum number of digits of a sequence number
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html>).
const DIGITS: usize = 40;

/// The label in the ARN of a stream: `arn:aws:dynamodb:…:table/<table>/stream/<label>`.
pub fn stream_label(arn: &str) -> Option<&str> {
    arn.split_once("/stream/").map(|(_, label)| label).filter(|label| !label.is_empty())
}

impl Position {
    /// A position from the ARN of a stream and a decimal sequence number.
    pub fn parse(stream_arn: &str, number: &str) -> Option<Self> {
        let digits =
            !number.is_empty() && number.len() <= DIGITS && number.bytes().all(|b| b.is_ascii_digit());
        let stream = stream_label(stream_arn).filter(|_| digits)?;
        Some(Self::stored(stream, &format!("{number:0>DIGITS$}")))
    }

    /// A position from its stored parts.
    pub(crate) fn stored(stream: &str, number: &str) -> Self {
        Self { stream: stream.to_owned(), number: number.to_owned() }
    }

    /// The position before every change of a stream.
    pub(crate) fn start_of(stream: &str) -> Self {
        Self::stored(stream, &"0".repeat(DIGITS))
    }

    /// The label of the stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The padded sequence number.
    pub fn number(&self) -> &str {
        &self.number
    }
}

/// Sorts as the position does.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.stream, self.number)
    }
}

/// A record of the stream, as Lambda delivers it. Its images are parsed only once the key shows that a consumer needs
/// them, because parsing images is most of the work of a batch.
#[derive(Debug, Deserialize)]
pub struct StreamRecord {
    #[serde(rename = "eventSourceARN")]
    stream_arn: String,
    pub(crate) dynamodb: Images,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Images {
    sequence_number: String,
    /// In seconds since 1970.
    approximate_creation_date_time: Option<f64>,
    pub(crate) keys: Keys,
    pub(crate) old_image: Option<Box<RawValue>>,
    pub(crate) new_image: Option<Box<RawValue>>,
}

/// The primary key, in the stream's JSON form.
#[derive(Debug, Deserialize)]
pub(crate) struct Keys {
    pub(crate) pk: Text,
    pub(crate) sk: Text,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    #[serde(rename = "S")]
    pub(crate) text: String,
}

/// The change of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamChange {
    /// The position in the stream.
    pub position: Position,
    /// The changed item.
    pub of: Changed,
}

/// The changed item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Changed {
    /// A product.
    Product(ProductId),
    /// A product's stock.
    Stock(ProductId),
    /// A product's rating.
    Rating(ProductId),
    /// A review.
    Review {
        /// The reviewed product.
        product: ProductId,
        /// The author.
        author: UserId,
        /// The review before the change; `None` if it was created.
        old: Option<Outline>,
        /// The review after the change; `None` if it was deleted.
        new: Option<Outline>,
    },
    /// An item that no consumer uses.
    Other,
}

impl StreamRecord {
    /// The unpadded sequence number, as a partial batch failure reports it.
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// The ARN of the stream.
    pub fn stream_arn(&self) -> &str {
        &self.stream_arn
    }

    /// The product that the changed item belongs to, if it is in a product's partition.
    pub fn product(&self) -> Option<ProductId> {
        keys::parse_product_partition(&self.dynamodb.keys.pk.text)
    }

    /// When the change was written, to the second.
    pub(crate) fn written_at(&self) -> Option<Timestamp> {
        let since = Duration::try_from_secs_f64(self.dynamodb.approximate_creation_date_time?).ok()?;
        u64::try_from(since.as_millis()).ok().map(Timestamp::from_unix_milliseconds)
    }

    /// Parses the change.
    pub fn read(self) -> Result<StreamChange, Error> {
        let Images { sequence_number, keys, old_image, new_image, .. } = self.dynamodb;
        let position = Position::parse(&self.stream_arn, &sequence_number).ok_or_else(|| {
            Error::internal(format!("invalid position {sequence_number:?} in {:?}", self.stream_arn))
        })?;
        let key = Key { pk: keys.pk.text, sk: keys.sk.text };
        let of = changed(&key, old_image, new_image)?;
        Ok(StreamChange { position, of })
    }
}

fn changed(key: &Key, old: Option<Box<RawValue>>, new: Option<Box<RawValue>>) -> Result<Changed, Error> {
    let Some(id) = keys::parse_product_partition(&key.pk) else { return Ok(Changed::Other) };
    let outline = |image: Option<Box<RawValue>>| image.map(|image| outline(&image)).transpose();
    match (key.sk.as_str(), keys::parse_review(&key.sk)) {
        (keys::PRODUCT, _) => Ok(Changed::Product(id)),
        (keys::STOCK, _) => Ok(Changed::Stock(id)),
        (keys::RATING, _) => Ok(Changed::Rating(id)),
        (_, Some(author)) => {
            Ok(Changed::Review { product: id, author, old: outline(old)?, new: outline(new)? })
        }
        _ => Ok(Changed::Other),
    }
}

/// The members of a review's image that are parsed; its texts are skipped without allocation.
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
    let broken = || Error::internal("a review's stream image cannot be parsed");
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
        records: Vec<StreamRecord>,
    }

    fn changes() -> Vec<StreamChange> {
        let event: Event = serde_json::from_str(include_str!("../../../events/stream.json")).unwrap();
        event.records.into_iter().map(|record| record.read().unwrap()).collect()
    }

    #[test]
    fn old_and_new_images_of_reviews_are_parsed() {
        let stars = |review: Option<Outline>| review.map(|review| review.rating.get());
        let parsed: Vec<_> = changes()
            .iter()
            .map(|change| match &change.of {
                Changed::Review { old, new, .. } => (stars(*old), stars(*new)),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(parsed, [(None, Some(5)), (Some(5), Some(4)), (Some(4), None)]);
    }

    const STREAM: &str = "arn:aws:dynamodb:eu-central-1:1:table/souk/stream/2026-01-02T03:04:05.678";

    #[test]
    fn positions_in_one_stream_sort_by_their_numbers() {
        let changes = changes();
        assert!(changes.is_sorted_by(|a, b| a.position < b.position));
        let [nine, ten] = ["9", "10"].map(|number| Position::parse(STREAM, number).unwrap());
        assert!(nine < ten && nine.to_string() < ten.to_string());
        assert!(Position::start_of("2026-01-02T03:04:05.678") < nine);
        for bad in ["", "x", "-1", &"1".repeat(41)] {
            assert_eq!(Position::parse(STREAM, bad), None, "{bad}");
        }
    }

    #[test]
    fn every_position_in_a_newer_stream_is_greater() {
        let newer = STREAM.replace("04:05.678", "04:05.679");
        let (last, first) = (Position::parse(STREAM, &"9".repeat(40)), Position::parse(&newer, "0"));
        let (last, first) = (last.unwrap(), first.unwrap());
        assert!(last < first && last.to_string() < first.to_string());
    }

    #[test]
    fn a_position_needs_the_label_of_a_stream() {
        for bad in ["", "arn:aws:dynamodb:eu-central-1:1:table/souk", "arn:x:table/souk/stream/"] {
            assert_eq!(Position::parse(bad, "1"), None, "{bad}");
        }
    }
}
