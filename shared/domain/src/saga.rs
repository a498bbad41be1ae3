//! The failed step of a state machine, as it is reported to the caller.

use serde::{Deserialize, Serialize};

/// The step at which a request failed, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedStep {
    /// The name of the step, as in `venue-prepare`.
    pub step: String,
    /// The reason, for the caller.
    pub detail: String,
}

/// The errors that a state machine retries: a function's own, and those of Lambda.
const TRANSIENT: [&str; 7] = [
    "Unavailable",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
];

impl FailedStep {
    /// Translates the name of a step's error into a detail for the caller. The cause of the error is in the step's log
    /// and is never sent to the client.
    pub fn new(step: String, error: &str) -> Self {
        let detail = match error {
            error if TRANSIENT.contains(&error) => {
                "a part of the service did not answer; try again with another key"
            }
            // Timeout of the state machine's task, or of the Lambda function.
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
    fn only_transient_errors_advise_a_retry() {
        let detail = |error| FailedStep::new("s".to_owned(), error).detail;
        for error in TRANSIENT.into_iter().chain(["States.Timeout", "Sandbox.Timedout"]) {
            assert!(detail(error).contains("try again"), "{error}");
        }
        assert!(!detail("Internal").contains("try again"));
    }
}
