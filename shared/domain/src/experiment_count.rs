//! What is counted of an experiment, and how often.

use crate::{
    Timestamp,
    assignment_buckets::AssignmentBuckets,
    experiment::Experiment,
    id::{ExperimentId, ProductId},
};

/// How long before its start an experiment looks for what its visitors bought.
const BEFORE_SECONDS: u64 = 28 * 24 * 60 * 60;

/// A count is made again after this many times as long as it took, so that counting has a hundredth of `ClickHouse` at most.
const REST: u64 = 100;

/// What is counted of an experiment that was started.
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
    /// Whether it is time to count again: `rest_ms` after the last count at the earliest.
    pub fn is_over(self, rest_ms: u64, now: Timestamp) -> bool {
        let age_ms = now.unix_milliseconds().saturating_sub(self.counted_at.unix_milliseconds());
        age_ms >= rest_ms.max(self.duration_ms.saturating_mul(REST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(milliseconds)
    }

    #[test]
    fn a_count_is_made_again_after_its_rest() {
        let count = |duration_ms| CountTime { counted_at: at(1_000), duration_ms };
        let over = |duration_ms, now| count(duration_ms).is_over(60_000, at(now));
        assert!(!over(10, 60_999));
        assert!(over(10, 61_000));
        // A clock that is behind by a little.
        assert!(!over(10, 500));
    }

    #[test]
    fn a_long_count_is_made_again_later() {
        let count = CountTime { counted_at: at(0), duration_ms: 3_000 };
        assert!(!count.is_over(60_000, at(299_999)));
        assert!(count.is_over(60_000, at(300_000)));
    }
}
