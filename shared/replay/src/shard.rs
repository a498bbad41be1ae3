//! A shard, and failures to read it.

use aws_sdk_dynamodbstreams::error::{DisplayErrorContext, SdkError};
use domain::{Error, replay::Number};

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The id.
    pub id: String,
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
}

impl Shard {
    /// The number of its first record, whether or not that is still there.
    pub fn first(&self) -> Option<Number> {
        self.first.as_deref().and_then(Number::parse)
    }

    /// The number of its last record; `None` while it is open.
    pub fn last(&self) -> Option<Number> {
        self.last.as_deref().and_then(Number::parse)
    }
}

/// Every failure is `Unavailable`: a replay is run again by hand, and changes nothing that it has done before.
pub(crate) fn failed<E>(what: &str, error: SdkError<E>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    Error::unavailable(format!("{what}: {}", DisplayErrorContext(error)))
}
