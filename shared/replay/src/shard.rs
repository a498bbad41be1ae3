//! A shard, and failures to read it.

use aws_sdk_dynamodbstreams::error::{DisplayErrorContext, SdkError};
use domain::{
    Error,
    replay::{Number, Part, Side},
};

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The id.
    pub id: String,
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
}

impl Shard {
    /// The number of its first record, whether or not that is still there.
    pub fn first(&self) -> Option<Number> {
        self.first.as_deref().and_then(Number::parse)
    }

    /// The number of its last record; `None` while it is open.
    pub fn last(&self) -> Option<Number> {
        self.last.as_deref().and_then(Number::parse)
    }

    /// Whether records of the part may be gone, if the oldest that is there was written in this second and has this number.
    pub(crate) fn is_trimmed(&self, part: &Part, oldest: Option<&(u64, Number)>) -> bool {
        let Some((second, number)) = oldest else {
            // A closed shard without a record has lost all of them.
            return self.last().is_some();
        };
        let has_beginning = self.first().is_none_or(|first| *number <= first);
        !has_beginning
            && part.side(second.saturating_sub(1), number) != Side::Before
            && !matches!(part, Part::Numbers { first, .. } if number <= first)
    }
}

/// Every failure is `Unavailable`: a replay is run again by hand, and changes nothing that it has done before.
pub(crate) fn failed<E>(what: &str, error: SdkError<E>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    Error::unavailable(format!("{what}: {}", DisplayErrorContext(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    fn shard(last: Option<&str>) -> Shard {
        Shard { id: "shardId-1".into(), first: Some("100".into()), last: last.map(str::to_owned) }
    }

    #[test]
    fn a_shard_without_its_beginning_is_trimmed_for_a_span_that_may_have_been_in_it() {
        let span = |from_seconds| Part::Span { from_seconds, to_seconds: 9_000 };
        let shard = shard(None);
        // What is left begins with number 150, in second 5,000.
        let left = (5_000, number("150"));
        assert!(shard.is_trimmed(&span(4_000), Some(&left)));
        // Others of the same second may be gone.
        assert!(!shard.is_trimmed(&span(5_001), Some(&left)));
        assert!(!shard.is_trimmed(&span(4_000), Some(&(5_000, number("100")))));
    }

    #[test]
    fn records_that_a_message_names_are_gone_if_what_is_left_begins_after_the_first() {
        let part = Part::Numbers { shard: None, first: number("120"), last: number("130") };
        for (left, is_trimmed) in [("100", false), ("120", false), ("121", true), ("150", true)] {
            assert_eq!(shard(None).is_trimmed(&part, Some(&(5_000, number(left)))), is_trimmed, "{left}");
        }
    }

    #[test]
    fn a_closed_shard_without_records_is_trimmed_and_an_open_one_is_empty() {
        let part = Part::Span { from_seconds: 0, to_seconds: 9_000 };
        assert!(shard(Some("200")).is_trimmed(&part, None));
        assert!(!shard(None).is_trimmed(&part, None));
    }
}
