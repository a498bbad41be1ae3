//! How far the payment provider's list of events has been read.

use crate::Timestamp;

/// How long the provider keeps events.
const KEPT_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A period whose events are being processed, and how far. The list of events is newest first. A stored period is true
/// for good, also while others read the list: nobody who goes on from an older one misses an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPeriod {
    /// Every event that was created before this was processed.
    pub from: Timestamp,
    /// The end of the period: the first time that does not belong to it.
    pub until: Timestamp,
    /// The last event of the last page whose events were processed; `None` at the beginning of the list.
    pub after: Option<String>,
}

impl EventPeriod {
    /// Where a reader begins that has read nothing: at the oldest event that the provider still has.
    pub fn first(now: Timestamp) -> Self {
        let from = now.minus_seconds(KEPT_SECONDS);
        Self { from, until: from, after: None }
    }

    /// The period to read next: the rest of this one, or what was created since and before `until`.
    #[must_use]
    pub fn go_on(self, until: Timestamp) -> Self {
        if self.after.is_some() {
            return self;
        }
        Self { until: until.max(self.from), ..self }
    }

    /// After a page was processed. `last` is its last event if there are more pages.
    #[must_use]
    pub fn after_page(self, last: Option<String>) -> Self {
        if last.is_some() {
            Self { after: last, ..self }
        } else {
            Self { from: self.until, after: None, ..self }
        }
    }

    /// Whether nothing is left to read.
    pub fn is_read(&self) -> bool {
        self.from >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn period(from: u64, until: u64, after: Option<&str>) -> EventPeriod {
        EventPeriod { from: at(from), until: at(until), after: after.map(str::to_owned) }
    }

    #[test]
    fn the_first_period_has_all_events_that_the_provider_keeps() {
        let first = EventPeriod::first(at(KEPT_SECONDS + 5));
        assert_eq!(first, period(5, 5, None));
        assert!(first.is_read());
        assert_eq!(first.go_on(at(70)), period(5, 70, None));
    }

    #[test]
    fn a_period_is_read_page_by_page_and_the_next_one_begins_at_its_end() {
        let period_of = period(5, 70, None).after_page(Some("evt_2".to_owned()));
        assert_eq!(period_of, period(5, 70, Some("evt_2")));
        // Newer events have to wait: the rest of the period would otherwise be forgotten.
        assert_eq!(period_of.clone().go_on(at(90)), period_of);
        let read = period_of.after_page(None);
        assert_eq!((read.is_read(), read.go_on(at(90))), (true, period(70, 90, None)));
    }

    #[test]
    fn an_earlier_clock_reads_nothing_twice() {
        assert!(period(70, 70, None).go_on(at(60)).is_read());
    }
}
