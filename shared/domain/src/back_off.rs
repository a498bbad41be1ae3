//! When a host that failed is asked again.

use crate::{Timestamp, observation::Reason};
use serde::{Deserialize, Serialize};

/// The first wait, in seconds; each further failure doubles it.
const FIRST_SECONDS: u64 = 60;

/// The longest wait that failures alone lead to, in seconds.
const LONGEST_SECONDS: u64 = 6 * 3600;

/// The longest wait that a host can ask for, in seconds.
const LONGEST_ASKED_SECONDS: u64 = 7 * 24 * 3600;

/// What is known of a host that failed. The default is a host that works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackOff {
    /// The number of failures since the host last answered.
    failures: u32,
    /// The host is not asked before.
    not_before: Option<Timestamp>,
    /// The host asked to be left alone until then (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Timestamp>,
}

impl BackOff {
    /// Whether the host may be asked.
    pub fn may_ask(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|not_before| not_before <= now)
    }

    /// Whether the host may be asked by a person who does not want to wait: it did not ask to be left alone.
    pub fn may_insist(&self, now: Timestamp) -> bool {
        self.retry_after.is_none_or(|retry_after| retry_after <= now)
    }

    /// Whether there is nothing to keep of the host.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The time before which the host is not asked.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// After a failure: twice as long as after the last one, and at least as long as the host asks for (`Retry-After`).
    /// A reason that is for good is an answer, and the host works.
    #[must_use]
    pub fn after(self, reason: Reason, retry_after_seconds: Option<u64>, now: Timestamp) -> Self {
        if !reason.may_pass() {
            return Self::default();
        }
        let doubled = FIRST_SECONDS << self.failures.min(16);
        let retry_after_seconds = retry_after_seconds.map(|seconds| seconds.min(LONGEST_ASKED_SECONDS));
        let seconds = doubled.min(LONGEST_SECONDS).max(retry_after_seconds.unwrap_or(0));
        Self {
            failures: self.failures.saturating_add(1),
            not_before: Some(now.plus_seconds(seconds)),
            retry_after: retry_after_seconds.map(|seconds| now.plus_seconds(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_unix_milliseconds(0)
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_six_hours() {
        let mut state = BackOff::default();
        assert!(state.may_ask(now()));
        let mut waits = Vec::new();
        for _ in 0..20 {
            state = state.after(Reason::Timeout, None, now());
            waits.push(state.not_before().unwrap().unix_seconds());
        }
        assert_eq!(waits[..10], [60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600]);
        assert_eq!(waits[19], 21_600);
        assert!(!state.may_ask(now().plus_seconds(21_599)) && state.may_ask(now().plus_seconds(21_600)));
    }

    #[test]
    fn a_host_that_asks_for_more_time_gets_it() {
        let state = BackOff::default().after(Reason::RateLimited, Some(600), now());
        assert!(!state.may_ask(now().plus_seconds(599)) && state.may_ask(now().plus_seconds(600)));
        assert!(!state.may_insist(now().plus_seconds(599)) && state.may_insist(now().plus_seconds(600)));
        let state = BackOff::default().after(Reason::RateLimited, Some(1), now());
        assert!(!state.may_ask(now().plus_seconds(59)) && state.may_insist(now().plus_seconds(1)));
    }

    #[test]
    fn an_answer_ends_the_wait() {
        let state = BackOff::default().after(Reason::ServerError, None, now());
        assert_eq!(state.after(Reason::NoPrice, None, now()), BackOff::default());
    }

    #[test]
    fn the_state_is_stored_as_plain_json() {
        let state = BackOff::default().after(Reason::Dns, None, now());
        let json = serde_json::json!({"failures": 1, "notBefore": "1970-01-01T00:01:00.000Z"});
        assert_eq!(serde_json::to_value(state).unwrap(), json);
        assert_eq!(serde_json::from_value::<BackOff>(json).unwrap(), state);
    }
}
