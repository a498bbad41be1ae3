//! Rate limits with fixed windows.

use crate::Timestamp;
use std::collections::HashMap;

/// A quota of requests for each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The attribute that requests are counted by: `email`, `source`. Also the policy's name in the `RateLimit`
    /// headers.
    pub name: &'static str,
    /// The number of requests that one window allows.
    pub quota: u64,
    /// The length of a window in seconds. Windows start at multiples of it since 1970, the same for all callers.
    pub window_seconds: u64,
}

impl Limit {
    /// The start of the window that contains `now`, in seconds since 1970.
    pub fn window_start(&self, now: Timestamp) -> u64 {
        now.unix_seconds() - now.unix_seconds() % self.window_seconds.max(1)
    }

    /// The status after `used` requests in the current window, including this request.
    pub fn status(self, used: u64, now: Timestamp) -> LimitStatus {
        LimitStatus {
            limit: self,
            remaining: self.quota.saturating_sub(used),
            reset_seconds: self.window_start(now) + self.window_seconds.max(1) - now.unix_seconds(),
            allowed: used <= self.quota,
        }
    }
}

/// The status of a limit for one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// The limit.
    pub limit: Limit,
    /// The number of further requests that the window allows.
    pub remaining: u64,
    /// Seconds until the next window starts; at least 1.
    pub reset_seconds: u64,
    /// Whether this request is within the limit.
    pub allowed: bool,
}

/// The most sources that [`SourceCounts`] counts at a time, so that they take some megabytes at most.
const MOST_SOURCES: usize = 10_000;

/// The requests of each source in the current window, in memory.
#[derive(Debug, Default)]
pub struct SourceCounts {
    window_start: u64,
    used: HashMap<String, u64>,
}

impl SourceCounts {
    /// Counts a request of a source.
    pub fn spend(&mut self, limit: Limit, source: &str, now: Timestamp) -> LimitStatus {
        let window_start = limit.window_start(now);
        if self.window_start != window_start || self.used.len() >= MOST_SOURCES {
            *self = Self { window_start, used: HashMap::new() };
        }
        let used = self.used.entry(source.to_owned()).or_default();
        *used += 1;
        limit.status(*used, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { name: "email", quota: 2, window_seconds: 60 };

    #[test]
    fn the_last_allowed_request_leaves_no_quota() {
        let now = Timestamp::from_unix_milliseconds(61_000);
        assert_eq!(
            LIMIT.status(2, now),
            LimitStatus { limit: LIMIT, remaining: 0, reset_seconds: 59, allowed: true }
        );
        assert!(!LIMIT.status(3, now).allowed);
    }

    #[test]
    fn reset_seconds_is_at_least_1() {
        let end = Timestamp::from_unix_milliseconds(119_999);
        assert_eq!(LIMIT.status(1, end).reset_seconds, 1);
        assert_eq!(LIMIT.window_start(end), 60);
    }

    #[test]
    fn sources_are_counted_apart_and_anew_in_each_window() {
        let mut counts = SourceCounts::default();
        let mut allowed =
            |source: &str, ms| counts.spend(LIMIT, source, Timestamp::from_unix_milliseconds(ms)).allowed;
        assert_eq!([0, 1, 2].map(|ms| allowed("a", ms)), [true, true, false]);
        assert!(allowed("b", 3) && !allowed("a", 59_999) && allowed("a", 60_000));
        for number in 0..MOST_SOURCES {
            allowed(&number.to_string(), 61_000);
        }
        assert!(counts.used.len() <= MOST_SOURCES);
    }

    #[test]
    fn windows_start_at_multiples_of_their_length() {
        assert_eq!(LIMIT.window_start(Timestamp::from_unix_milliseconds(185_000)), 180);
        assert_eq!(LIMIT.window_start(Timestamp::from_unix_milliseconds(180_000)), 180);
    }
}
