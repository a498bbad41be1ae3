//! A user's webhook: where notifications are posted, and when a failed delivery is tried again.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The waits before each further attempt, in seconds: 24 hours in all.
const WAITS_SECONDS: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 28_800, 30_300];

/// A webhook that fails for this time is disabled, in seconds.
const DISABLED_AFTER_SECONDS: u64 = 24 * 60 * 60;

/// A user's webhook. Its secret is stored elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Where notifications are posted.
    pub url: String,
    /// When it was set.
    pub created_at: Timestamp,
    /// The first failure after the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When it was disabled, because it failed for a day or said that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
}

/// What a host answers to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It took the notification.
    Taken,
    /// It failed, or refused it.
    Failed,
    /// There is no such webhook any more (410).
    Gone,
}

/// What follows from an attempt to deliver a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDelivery {
    /// It is delivered.
    Done,
    /// It is tried again at this time.
    Again(Timestamp),
    /// It is not tried again.
    GivenUp,
    /// It is not tried again, and the webhook is disabled.
    Disabled,
}

impl Webhook {
    /// A new webhook.
    pub fn new(url: String, now: Timestamp) -> Self {
        Self { url, created_at: now, failing_since: None, disabled_at: None }
    }

    /// What follows from this attempt, the first of which is number 1.
    pub fn after(&self, attempt: usize, delivery: Delivery, now: Timestamp) -> AfterDelivery {
        let wait = WAITS_SECONDS.get(attempt.saturating_sub(1));
        match (delivery, wait) {
            (Delivery::Taken, _) => AfterDelivery::Done,
            (Delivery::Gone, _) => AfterDelivery::Disabled,
            (Delivery::Failed, Some(wait)) => AfterDelivery::Again(now.plus_seconds(*wait)),
            (Delivery::Failed, None) => {
                let has_failed_long = self.failing_since.is_some_and(|since| since <= a_day_before(now));
                if has_failed_long { AfterDelivery::Disabled } else { AfterDelivery::GivenUp }
            }
        }
    }
}

fn a_day_before(now: Timestamp) -> Timestamp {
    now.minus_seconds(DISABLED_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    #[test]
    fn a_delivery_is_tried_for_a_day() {
        let mut webhook = Webhook::new("https://ada.com/hook".to_owned(), at(0));
        webhook.failing_since = Some(at(1_000));
        let (mut now, mut attempt) = (at(1_000), 1);
        while let AfterDelivery::Again(next) = webhook.after(attempt, Delivery::Failed, now) {
            assert!(next > now);
            (now, attempt) = (next, attempt + 1);
        }
        assert_eq!((attempt, now), (8, at(1_000 + 24 * 60 * 60 + 5)));
        assert_eq!(webhook.after(attempt, Delivery::Failed, now), AfterDelivery::Disabled);
    }

    #[test]
    fn a_webhook_that_took_something_meanwhile_is_not_disabled() {
        let mut webhook = Webhook::new("https://ada.com/hook".to_owned(), at(0));
        assert_eq!(webhook.after(8, Delivery::Failed, at(90_000)), AfterDelivery::GivenUp);
        webhook.failing_since = Some(at(90_000 - 24 * 60 * 60 + 1));
        assert_eq!(webhook.after(8, Delivery::Failed, at(90_000)), AfterDelivery::GivenUp);
        webhook.failing_since = Some(at(90_000 - 24 * 60 * 60));
        assert_eq!(webhook.after(8, Delivery::Failed, at(90_000)), AfterDelivery::Disabled);
    }

    #[test]
    fn what_is_taken_or_gone_is_not_tried_again() {
        let webhook = Webhook::new("https://ada.com/hook".to_owned(), at(0));
        assert_eq!(webhook.after(1, Delivery::Taken, at(0)), AfterDelivery::Done);
        assert_eq!(webhook.after(8, Delivery::Taken, at(0)), AfterDelivery::Done);
        assert_eq!(webhook.after(1, Delivery::Gone, at(0)), AfterDelivery::Disabled);
        assert_eq!(webhook.after(1, Delivery::Failed, at(0)), AfterDelivery::Again(at(5)));
    }
}
