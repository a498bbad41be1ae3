//! What a state machine says of a step that failed.

use serde::{Deserialize, Serialize};

/// At which step a request failed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedStep {
    /// The step, as in `venue-prepare`.
    pub step: String,
    /// Why, for the caller.
    pub detail: String,
}

impl FailedStep {
    /// The step that failed, by the name of its error. The cause is for the log of the step; the caller is told no more
    /// than what it can act upon.
    pub fn new(step: String, error: &str) -> Self {
        let detail = match error {
            "Unavailable" => "a part of the service did not answer; try again with another key",
            // What ran out of time: the task, or the function in it.
            "States.Timeout" | "Sandbox.Timedout" => "it took too long; try again with another key",
            _ => "something went wrong on our side",
        };
        Self { step, detail: detail.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_worth_another_try() {
        let detail = |error| FailedStep::new("s".to_owned(), error).detail;
        for error in ["Unavailable", "States.Timeout", "Sandbox.Timedout"] {
            assert!(detail(error).contains("try again"), "{error}");
        }
        assert!(!detail("Internal").contains("try again"));
    }
}
