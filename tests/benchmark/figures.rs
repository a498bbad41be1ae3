//! Repeated measurements of one quantity, and their percentiles.

use serde_json::{Value, json};
use std::time::Duration;

/// Durations, in the order of measurement.
#[derive(Default, Clone)]
pub struct Figures(Vec<Duration>);

impl Figures {
    /// Adds a measurement.
    pub fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Whether there is no measurement.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A percentile, in microseconds; `part` is from 0 to 1.
    pub fn at(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of what is there"
        )]
        #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
        let index = ((sorted.len() - 1) as f64 * part).ceil() as usize;
        sorted[index].as_secs_f64() * 1e6
    }

    /// The median, in microseconds.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The percentiles that the report shows, in microseconds.
    pub fn spread(&self) -> Value {
        let part = |part| rounded(self.at(part), 10.0);
        json!({"p50": part(0.5), "p90": part(0.9), "p99": part(0.99), "max": part(1.0)})
    }
}

/// Rounds a number to a multiple of `1 / parts`.
pub fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}
