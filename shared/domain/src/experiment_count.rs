//! The rules of an experiment's counts: which visitors and orders count, and when a count is made again.

use crate::{
    Timestamp,
    assignment_buckets::AssignmentBuckets,
    experiment::Experiment,
    id::{ExperimentId, ProductId},
};

/// How long before its start an experiment looks for what its visitors bought.
const BEFORE_SECONDS: u64 = 28 * 24 * 60 * 60;

/// How long after its stop an experiment is counted by the schedule, in seconds: events come late, and orders are cancelled.
pub const SETTLES_SECONDS: u64 = 7 * 24 * 60 * 60;

/// The longest count that somebody who looks at results waits for, by the last one.
const QUICK_MS: u64 = 3_000;

/// The schedule lets a count rest for this many times as long as those who look at it.
const SCHEDULED_RESTS: u64 = 15;

/// The schedule makes a count again after this many times as long as it took, so that one experiment has a tenth of
/// `ClickHouse` at most.
const REST_FACTOR: u64 = 10;

/// The rules by which visitors and orders of a started experiment count.
///
/// - A visitor counts from their first exposure on, if it was reported while the experiment ran. Their variant is computed from
///   their id; the one that the client named is not read. Visitors who are not in the experiment do not count.
/// - An order is no exposure. Orders count from the visitor's first exposure on and until the stop, with the lines that were
///   sold in the experiment and were not cancelled. After the stop, the price of a variant is honoured for half an hour, and a
///   line at the control's price cannot be told from one without the experiment.
/// - Programs do not count, whatever their variant. Neither does a visitor who bought at another variant's price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentCount {
    /// The experiment.
    pub experiment_id: ExperimentId,
    /// The keys of the variants, the control first.
    pub variants: Vec<String>,
    /// Which visitors are in which variant.
    pub buckets: AssignmentBuckets,
    /// The products whose sales before the experiment count as such.
    pub products: Vec<ProductId>,
    /// The beginning of the time before the experiment.
    pub before: Timestamp,
    /// The first time of an exposure.
    pub from: Timestamp,
    /// The first time that is too late for an exposure and for an order.
    pub to: Timestamp,
}

impl ExperimentCount {
    /// What is counted now. `None` for an experiment that was not started.
    pub fn of(experiment: &Experiment, now: Timestamp) -> Option<Self> {
        let from = experiment.started_at?;
        Some(Self {
            experiment_id: experiment.experiment_id,
            variants: experiment.draft.variants.iter().map(|variant| variant.key.clone()).collect(),
            buckets: AssignmentBuckets::of(&experiment.draft.assignment(experiment.experiment_id)),
            products: experiment.draft.products().into_iter().collect(),
            before: from.minus_seconds(BEFORE_SECONDS),
            from,
            to: experiment.stopped_at.unwrap_or(now),
        })
    }
}

/// When a count was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountTime {
    /// When it began.
    pub counted_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
}

impl CountTime {
    /// Whether somebody who looks at the results makes the count again: `rest_ms` after the last one at the earliest, and only
    /// if that was quick. The schedule makes the others.
    pub fn is_made_by_looks(self, rest_ms: u64, now: Timestamp) -> bool {
        self.duration_ms <= QUICK_MS && self.age_ms(now) >= rest_ms
    }

    /// Whether the schedule makes the count again: also one that looks would make, because nobody may look for long.
    pub fn is_due(self, rest_ms: u64, now: Timestamp) -> bool {
        self.age_ms(now) >= (SCHEDULED_RESTS * rest_ms).max(self.duration_ms.saturating_mul(REST_FACTOR))
    }

    /// Zero if the clock is behind.
    fn age_ms(self, now: Timestamp) -> u64 {
        now.unix_milliseconds().saturating_sub(self.counted_at.unix_milliseconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{
        experiment::ExperimentStatus,
        experiment_draft::ExperimentDraft,
        id::{Id, SessionId, UserId},
        input::Input,
        user::Caller,
    };
    use serde_json::json;

    const COUNTED_AT_MS: u64 = 1_000;

    #[test]
    fn exposures_count_from_the_start_to_the_stop_and_sales_of_28_days_before() {
        let day = |number: u64| Timestamp::from_unix_milliseconds(number * 24 * 3_600_000);
        let product = ProductId::new(day(0), [1; 10]);
        let price = json!({"productId": product, "price": {"amount": 5, "currency": "SGD"}});
        let draft = json!({"name": "Tea", "metrics": {"primary": "conversion"}, "variants": [
            {"key": "control", "weight": 5000}, {"key": "low", "weight": 5000, "prices": [price]}]});
        let draft = ExperimentDraft::from_json(draft).unwrap();
        let caller =
            Caller { user_id: UserId::new(day(0), [1; 10]), session_id: SessionId::new(day(0), [0; 10]) };
        let mut experiment = Experiment::new(ExperimentId::new(day(0), [9; 10]), &caller, draft, day(0));
        assert_eq!(ExperimentCount::of(&experiment, day(50)), None);
        (experiment.status, experiment.started_at) = (ExperimentStatus::Running, Some(day(40)));
        let count = ExperimentCount::of(&experiment, day(50)).unwrap();
        assert_eq!((count.before, count.from, count.to), (day(12), day(40), day(50)));
        assert_eq!(
            (count.variants, count.products),
            (vec!["control".to_owned(), "low".to_owned()], vec![product])
        );
        (experiment.status, experiment.stopped_at) = (ExperimentStatus::Stopped, Some(day(45)));
        assert_eq!(ExperimentCount::of(&experiment, day(50)).unwrap().to, day(45));
    }

    fn after(milliseconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(COUNTED_AT_MS + milliseconds)
    }

    fn count(duration_ms: u64) -> CountTime {
        CountTime { counted_at: after(0), duration_ms }
    }

    #[test]
    fn looks_count_again_after_a_rest() {
        let is_made = |duration_ms, now| count(duration_ms).is_made_by_looks(60_000, now);
        assert!(!is_made(10, after(59_999)));
        assert!(is_made(10, after(60_000)));
        // A clock that is behind by a little.
        assert!(!is_made(10, Timestamp::from_unix_milliseconds(COUNTED_AT_MS - 500)));
    }

    #[test]
    fn nobody_who_looks_waits_for_a_long_count() {
        let in_a_year = after(365 * 24 * 60 * 60 * 1000);
        assert!(count(3_000).is_made_by_looks(60_000, in_a_year));
        assert!(!count(3_001).is_made_by_looks(60_000, in_a_year));
    }

    #[test]
    fn the_schedule_counts_quick_ones_every_quarter_and_long_ones_less_often() {
        let is_due = |duration_ms, now| count(duration_ms).is_due(60_000, now);
        assert!(!is_due(10, after(899_999)));
        assert!(is_due(10, after(900_000)));
        assert!(is_due(90_000, after(900_000)));
        assert!(!is_due(90_001, after(900_009)));
        assert!(is_due(90_001, after(900_010)));
    }
}
