//! Reading a part of the table's stream again: which part, and what of it is no longer there.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far back a replay reads: the stream has older records no longer.
const LONGEST_SECONDS: u64 = 24 * 60 * 60;

/// What is to be read again: a time span, or the records that a message of a failed queue names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayInput {
    /// The beginning of the span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Its end: now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The body of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<FailedMessage>,
    /// Where an earlier run ended: by shard, the number of the last record that it handed on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub after: BTreeMap<String, String>,
}

/// A message about records of the stream that were given up: by Lambda, or by the function itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedMessage {
    /// What Lambda says of a batch.
    #[serde(rename = "DDBStreamBatchInfo", default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<FailedBatch>,
    /// The records that the function named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequence_numbers: Vec<String>,
}

/// A batch that Lambda has given up (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedBatch {
    /// The shard.
    pub shard_id: String,
    /// The number of the first record.
    pub start_sequence_number: String,
    /// The number of the last record.
    pub end_sequence_number: String,
}

/// The part of the stream that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Records that were written in a time span. The stream tells times in whole seconds.
    Span {
        /// The first second.
        from_seconds: u64,
        /// The last second.
        to_seconds: u64,
    },
    /// Records from one number to another.
    Numbers {
        /// The shard, if it is known.
        shard: Option<String>,
        /// The first.
        first: Number,
        /// The last.
        last: Number,
    },
}

/// A sequence number of the stream: decimal digits. Within an item collection, and within a shard, they increase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    digits: usize,
    text: String,
}

impl Number {
    /// From its text; `None` if it has other characters than digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let text = text.trim_start_matches('0').to_owned();
        is_number.then_some(Self { digits: text.len(), text })
    }
}

impl ReplayInput {
    /// The input of the run that goes on after these records, when one that began at this time has ended before the part did.
    #[must_use]
    pub fn next(self, after: BTreeMap<String, String>, began: Timestamp) -> Self {
        let to = self.from.and(self.to.or(Some(began)));
        Self { to, after, ..self }
    }

    /// The part that is meant. The error says what is wrong with the input.
    pub fn part(&self, now: Timestamp) -> Result<Part, &'static str> {
        match (&self.message, self.from) {
            (Some(message), None) if self.to.is_none() => {
                message.part().ok_or("the message names no records")
            }
            (None, Some(from)) => {
                let to = self.to.unwrap_or(now);
                if from >= to {
                    return Err("from must be before to");
                }
                // A run that goes on is as old as the run before it; what the stream has lost since then is reported as trimmed.
                if self.after.is_empty() && from < now.minus_seconds(LONGEST_SECONDS) {
                    return Err("from must be at most 24 hours ago: the stream has older records no longer");
                }
                Ok(Part::Span { from_seconds: from.unix_seconds(), to_seconds: to.unix_seconds() })
            }
            _ => Err("either from, and to unless it is now, or a message is needed"),
        }
    }
}

impl FailedMessage {
    fn part(&self) -> Option<Part> {
        if let Some(batch) = &self.batch {
            let shard = Some(batch.shard_id.clone());
            let first = Number::parse(&batch.start_sequence_number)?;
            return Some(Part::Numbers { shard, first, last: Number::parse(&batch.end_sequence_number)? });
        }
        let numbers: Option<Vec<Number>> =
            self.sequence_numbers.iter().map(|number| Number::parse(number)).collect();
        let numbers = numbers?;
        let (first, last) = (numbers.iter().min()?.clone(), numbers.iter().max()?.clone());
        Some(Part::Numbers { shard: None, first, last })
    }
}

/// Where a record stands to the part that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before it.
    Before,
    /// In it.
    Inside,
    /// After it: no later record of the shard is in it.
    After,
}

impl Part {
    /// Its name among what was trimmed, if no shard has any of it.
    pub fn name(&self) -> String {
        match self {
            Self::Span { from_seconds, to_seconds } => format!("seconds {from_seconds} to {to_seconds}"),
            Self::Numbers { shard: Some(shard), .. } => shard.clone(),
            Self::Numbers { first, last, .. } => format!("records {} to {}", first.text, last.text),
        }
    }

    /// Whether a shard whose records have these numbers may have some of the part. An open shard has no last number.
    pub fn may_be_in(&self, shard: &str, first: Option<&Number>, last: Option<&Number>) -> bool {
        match self {
            Self::Span { .. } => true,
            Self::Numbers { shard: Some(wanted), .. } => wanted == shard,
            Self::Numbers { first: wanted_first, last: wanted_last, .. } => {
                first.is_none_or(|first| first <= wanted_last) && last.is_none_or(|last| last >= wanted_first)
            }
        }
    }

    /// Where a record stands that was written in this second and has this number.
    pub fn side(&self, second: u64, number: &Number) -> Side {
        let (is_before, is_after) = match self {
            Self::Span { from_seconds, to_seconds } => (second < *from_seconds, second > *to_seconds),
            Self::Numbers { first, last, .. } => (number < first, number > last),
        };
        match (is_before, is_after) {
            (true, _) => Side::Before,
            (_, true) => Side::After,
            _ => Side::Inside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: &str = "2026-11-22T12:00:00.000Z";

    fn part(input: Value) -> Result<Part, &'static str> {
        serde_json::from_value::<ReplayInput>(input).unwrap().part(NOW.parse().unwrap())
    }

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn a_span_is_within_a_day() {
        let span =
            part(json!({"from": "2026-11-22T11:00:00.999Z", "to": "2026-11-22T11:00:01.000Z"})).unwrap();
        let at = |milliseconds: u64| (1_795_345_200_000 + milliseconds) / 1000;
        assert_eq!(span, Part::Span { from_seconds: at(0), to_seconds: at(1000) });
        let sides = [at(0) - 1, at(0), at(1000), at(2000)].map(|second| span.side(second, &number("1")));
        assert_eq!(sides, [Side::Before, Side::Inside, Side::Inside, Side::After]);
        assert!(part(json!({"from": "2026-11-21T12:00:00Z"})).is_ok());
        for bad in [
            json!({"from": "2026-11-21T11:59:59Z"}),
            json!({"from": NOW}),
            json!({"from": "2026-11-22T11:00:00Z", "to": "2026-11-22T10:00:00Z"}),
            json!({"to": NOW}),
            json!({}),
        ] {
            assert!(part(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_part_that_is_gone_has_a_name() {
        let batch = json!({"shardId": "shardId-1", "startSequenceNumber": "9", "endSequenceNumber": "10"});
        for (input, name) in [
            (json!({"message": {"DDBStreamBatchInfo": batch}}), "shardId-1"),
            (json!({"message": {"sequenceNumbers": ["10", "9"]}}), "records 9 to 10"),
            (json!({"from": "2026-11-22T11:00:00Z"}), "seconds 1795345200 to 1795348800"),
        ] {
            assert_eq!(part(input).unwrap().name(), name);
        }
    }

    #[test]
    fn messages_of_lambda_and_of_functions_name_records() {
        let message = json!({"message": {
            "requestContext": {"condition": "RecordAgeExceeded"}, "version": "1.0",
            "DDBStreamBatchInfo": {"shardId": "shardId-1", "startSequenceNumber": "9", "endSequenceNumber": "10", "batchSize": 2},
        }});
        let batch = part(message).unwrap();
        let wanted =
            Part::Numbers { shard: Some("shardId-1".to_owned()), first: number("9"), last: number("10") };
        assert_eq!(batch, wanted);
        assert!(batch.may_be_in("shardId-1", None, None) && !batch.may_be_in("shardId-2", None, None));
        let letter = json!({"message": {"streamArn": "a", "sequenceNumbers": ["100", "21"], "error": "x"}});
        let letter = part(letter).unwrap();
        assert_eq!(letter, Part::Numbers { shard: None, first: number("21"), last: number("100") });
        let may_be_in = |first: &str, last: Option<&str>| {
            letter.may_be_in("any", Some(&number(first)), last.map(number).as_ref())
        };
        assert!(may_be_in("1", None) && may_be_in("100", None) && may_be_in("1", Some("21")));
        assert!(!may_be_in("101", None) && !may_be_in("1", Some("20")));
        assert!(part(json!({"message": {"sequenceNumbers": []}})).is_err());
        assert!(part(json!({"message": {"sequenceNumbers": ["x"]}})).is_err());
    }

    #[test]
    fn a_run_goes_on_with_the_same_part() {
        let after = BTreeMap::from([("shardId-1".to_owned(), "7".to_owned())]);
        let now: Timestamp = NOW.parse().unwrap();
        for input in [
            json!({"from": "2026-11-21T12:00:00Z"}),
            json!({"from": "2026-11-21T12:00:00Z", "to": "2026-11-22T11:00:00Z"}),
            json!({"message": {"sequenceNumbers": ["100"]}}),
        ] {
            let first: ReplayInput = serde_json::from_value(input.clone()).unwrap();
            let next = first.clone().next(after.clone(), now);
            assert_eq!(next.after, after);
            let read: ReplayInput = serde_json::from_value(serde_json::to_value(next).unwrap()).unwrap();
            assert_eq!(read.part(now.plus_seconds(900)), first.part(now), "{input}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert!(number("9") < number("10") && number("010") == number("10"));
        assert_eq!(Number::parse("-1"), None);
    }
}
