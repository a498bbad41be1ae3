//! Summaries of events: how often which events happened on which day.

use crate::{
    Timestamp,
    id::{ExperimentId, ProductId},
};

/// The longest period of a summary, in days.
pub const MOST_DAYS: u64 = 90;
/// The period of a summary that does not say when it begins, in days.
const DEFAULT_DAYS: u64 = 30;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// What the events of a summary belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryOf {
    /// A product.
    Product(ProductId),
    /// An experiment.
    Experiment(ExperimentId),
}

/// A period, of which `to` is the first moment that does not belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryPeriod {
    /// The beginning.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
}

impl SummaryPeriod {
    /// The period between these times: until now and 30 days long unless given. The error is a fault of `from`.
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Result<Self, String> {
        let to = to.unwrap_or(now);
        let from = from.unwrap_or(to.minus_seconds(DEFAULT_DAYS * DAY_SECONDS));
        if from >= to {
            return Err("must be before to".to_owned());
        }
        if from < to.minus_seconds(MOST_DAYS * DAY_SECONDS) {
            return Err(format!("must be at most {MOST_DAYS} days before to"));
        }
        Ok(Self { from, to })
    }
}

/// Reads the beginning of a period: a time, or a day, which is its beginning.
pub fn beginning(text: &str) -> Result<Timestamp, String> {
    time_or_day(text, 0)
}

/// Reads the end of a period: a time, or a day, which is its end.
pub fn end(text: &str) -> Result<Timestamp, String> {
    time_or_day(text, DAY_SECONDS)
}

fn time_or_day(text: &str, plus_seconds: u64) -> Result<Timestamp, String> {
    let day = || format!("{text}T00:00:00Z").parse().map(|day: Timestamp| day.plus_seconds(plus_seconds));
    let rule = "must be an RFC 3339 date and time, or a date, since 1970";
    text.parse().or_else(|_| day()).map_err(|_| rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T12:00:00.000Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn period(from: Option<&str>, to: Option<&str>) -> Result<(String, String), String> {
        let (from, to) = (from.map(|from| beginning(from).unwrap()), to.map(|to| end(to).unwrap()));
        SummaryPeriod::new(from, to, at(NOW)).map(|period| (period.from.to_string(), period.to.to_string()))
    }

    #[test]
    fn a_period_ends_now_and_has_thirty_days_unless_it_says_otherwise() {
        assert_eq!(period(None, None), Ok(("2026-10-23T12:00:00.000Z".to_owned(), NOW.to_owned())));
        let whole_day = ("2026-11-01T00:00:00.000Z".to_owned(), "2026-11-02T00:00:00.000Z".to_owned());
        assert_eq!(period(Some("2026-11-01"), Some("2026-11-01")), Ok(whole_day));
    }

    #[test]
    fn a_period_has_ninety_days_at_most() {
        assert!(period(Some("2026-08-04"), Some("2026-11-01")).is_ok());
        assert_eq!(
            period(Some("2026-08-03"), Some("2026-11-01")),
            Err("must be at most 90 days before to".to_owned())
        );
        assert_eq!(period(Some(NOW), None), Err("must be before to".to_owned()));
        assert_eq!(period(Some("2026-11-23"), None), Err("must be before to".to_owned()));
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in ["", "yesterday", "2026-02-30", "2026-11-1", "1969-12-31"] {
            assert!(beginning(text).is_err(), "{text}");
        }
    }
}
