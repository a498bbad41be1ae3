//! Rate limits: how often something may be done within a window of time.

use crate::Timestamp;

/// So many requests for each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What the limit counts by: `email`, `source`. Names the policy in the `RateLimit` headers.
    pub name: &'static str,
    /// How many requests one window allows.
    pub quota: u64,
    /// How long a window is, in seconds. Windows begin at whole multiples of it, for everybody at once.
    pub window_seconds: u64,
}

impl Limit {
    /// When the window that `now` lies in began, in seconds since 1970.
    pub fn window_start(&self, now: Timestamp) -> u64 {
        now.unix_seconds() - now.unix_seconds() % self.window_seconds.max(1)
    }

    /// How things stand after `used` requests of the present window, the one at hand included.
    pub fn standing(self, used: u64, now: Timestamp) -> Standing {
        Standing {
            limit: self,
            remaining: self.quota.saturating_sub(used),
            reset_seconds: self.window_start(now) + self.window_seconds.max(1) - now.unix_seconds(),
            allowed: used <= self.quota,
        }
    }
}

/// How much of a limit is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Which limit.
    pub limit: Limit,
    /// How many more requests the window allows.
    pub remaining: u64,
    /// Seconds until the next window begins; at least 1.
    pub reset_seconds: u64,
    /// Whether the request at hand is within the limit.
    pub allowed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { name: "email", quota: 2, window_seconds: 60 };

    #[test]
    fn the_last_allowed_request_leaves_nothing() {
        let now = Timestamp::from_unix_milliseconds(61_000);
        assert_eq!(
            LIMIT.standing(2, now),
            Standing { limit: LIMIT, remaining: 0, reset_seconds: 59, allowed: true }
        );
        assert!(!LIMIT.standing(3, now).allowed);
    }

    #[test]
    fn a_window_never_resets_now() {
        let end = Timestamp::from_unix_milliseconds(119_999);
        assert_eq!(LIMIT.standing(1, end).reset_seconds, 1);
        assert_eq!(LIMIT.window_start(end), 60);
    }
}
