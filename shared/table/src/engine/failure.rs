//! Classifies failed DynamoDB requests as `Unavailable` (transient) or `Internal`.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::{Error, error::with_sources};
use std::fmt::Debug;

/// Error codes after which the same request may succeed later: those of load, and those of a faulty deployment, such as a
/// right that a role lacks. A stream consumer repeats such a request until it succeeds.
const TRANSIENT: [&str; 12] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "UnrecognizedClientException",
];

/// The domain error of a failed request. Failed conditions are handled where the condition is written, not here.
pub(crate) fn failure<E, R>(operation: &str, error: &SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: Debug,
{
    match error {
        SdkError::ServiceError(service) => {
            let error = service.err();
            let code = error.code().unwrap_or("unknown");
            let cause = format!("{operation}: {code}: {}", error.message().unwrap_or_default());
            if TRANSIENT.contains(&code) { Error::unavailable(cause) } else { Error::internal(cause) }
        }
        SdkError::ConstructionFailure(_) => Error::internal(format!("{operation}: {error:?}")),
        _ => Error::unavailable(format!("{operation}: {}", with_sources(error))),
    }
}
