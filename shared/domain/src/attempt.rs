//! When a sweep tries unfinished work again, and when it leaves it to a person.

use crate::Timestamp;

/// The number of failed attempts after which a sweep leaves work to a person. With the pauses below they take some 20
/// hours, so that an outage of that length leaves nothing to a person.
pub const MOST_ATTEMPTS: u32 = 24;

const FIRST_PAUSE_SECONDS: u64 = 5 * 60;
const LONGEST_PAUSE_SECONDS: u64 = 60 * 60;

/// The time of the attempt after a failed one, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextAttempt {
    /// The work is tried again, not before this time.
    After(Timestamp),
    /// The work is left to a person.
    Never,
}

impl NextAttempt {
    /// After this number of failed attempts. The pause doubles with each attempt, so that work that keeps failing takes
    /// little time from other work.
    pub fn after_failures(failures: u32, now: Timestamp) -> Self {
        if failures >= MOST_ATTEMPTS {
            return Self::Never;
        }
        let doubled = 2_u64.saturating_pow(failures.saturating_sub(1)).saturating_mul(FIRST_PAUSE_SECONDS);
        Self::After(now.plus_seconds(doubled.min(LONGEST_PAUSE_SECONDS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_attempts_end() {
        let now = Timestamp::from_unix_milliseconds(0);
        let pause = |failures| match NextAttempt::after_failures(failures, now) {
            NextAttempt::After(time) => Some(time.unix_seconds() / 60),
            NextAttempt::Never => None,
        };
        assert_eq!([1, 2, 3, 4, 5, 23].map(pause), [5, 10, 20, 40, 60, 60].map(Some));
        assert_eq!([24, u32::MAX].map(pause), [None, None]);
        let hours = (1..MOST_ATTEMPTS).filter_map(pause).sum::<u64>() / 60;
        assert_eq!(hours, 20);
    }
}
