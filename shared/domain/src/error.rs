//! Errors and validation faults, independent of HTTP.

use crate::{Version, limit::LimitStatus, rejection::RejectionReason};

/// The part of a request that a fault is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultLocation {
    /// A JSON Pointer (RFC 6901) into the body; empty for the body itself.
    Body(String),
    /// A query parameter.
    Parameter(String),
    /// A header field.
    Header(&'static str),
}

/// The maximum number of faults that an answer names.
pub const MOST_FAULTS: usize = 100;

/// One validation error of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The faulty part of the request.
    pub location: FaultLocation,
    /// The message for the caller. It never repeats a secret.
    pub detail: String,
}

impl Fault {
    /// A fault of the value itself, with an empty pointer. [`Fault::under`] adds the members that enclose the value.
    pub fn here(detail: impl Into<String>) -> Self {
        Self { location: FaultLocation::Body(String::new()), detail: detail.into() }
    }

    /// A fault of a query parameter.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { location: FaultLocation::Parameter(name.into()), detail: detail.into() }
    }

    /// A fault of a header field.
    pub fn header(name: &'static str, detail: impl Into<String>) -> Self {
        Self { location: FaultLocation::Header(name), detail: detail.into() }
    }

    /// The same fault relative to the enclosing object: prepends `/member` to the pointer.
    #[must_use]
    pub fn under(mut self, member: &str) -> Self {
        if let FaultLocation::Body(pointer) = &mut self.location {
            let escaped = member.replace('~', "~0").replace('/', "~1");
            pointer.insert_str(0, &escaped);
            pointer.insert(0, '/');
        }
        self
    }
}

/// Why an operation failed. `detail` is for the caller; `cause` is for the log and is never sent to the client.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The input is invalid. Lists every fault, [`MOST_FAULTS`] at most.
    Invalid(Vec<Fault>),
    /// The caller is not authenticated: no token, or wrong credentials.
    Unauthenticated {
        /// Message for the caller.
        detail: &'static str,
    },
    /// A refresh token was used again after it was exchanged. The caller gets the answer to an invalid one.
    RefreshReused,
    /// The caller is authenticated but not authorised.
    Forbidden {
        /// Message for the caller.
        detail: &'static str,
    },
    /// The resource does not exist, or the caller may not know that it exists.
    NotFound {
        /// The noun of the resource type, as in "There is no such product."
        what: &'static str,
    },
    /// The current state of the resource does not allow the operation.
    Conflict {
        /// Message for the caller.
        detail: &'static str,
    },
    /// The change would leave less than no stock, or more than the highest.
    StockOutOfBounds {
        /// The number of units in stock, which is not changed.
        available: i64,
    },
    /// `If-Match` does not name the current version.
    Stale {
        /// The current version.
        current: Version,
    },
    /// The order is rejected for a reason that the customer can correct.
    Rejected(RejectionReason),
    /// The idempotency key was used before with a different request.
    KeyReused,
    /// A rate limit is exceeded.
    TooMany(Vec<LimitStatus>),
    /// A dependency timed out or is unavailable. The same request may succeed later.
    Unavailable {
        /// Detail for the log; never sent to the client.
        cause: String,
    },
    /// A defect or a misconfiguration of Souk.
    Internal {
        /// Detail for the log; never sent to the client.
        cause: String,
    },
}

impl Error {
    /// `Invalid` with one fault.
    pub fn invalid(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }

    /// `Internal`; `cause` goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal { cause: cause.into() }
    }

    /// `Unavailable`; `cause` goes to the log only.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self::Unavailable { cause: cause.into() }
    }
}

/// The messages of an error and of all its sources, on one line.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[test]
    fn a_pointer_is_built_from_the_inside_out_and_escaped() {
        let fault = Fault::here("is negative").under("amount").under("a/b~c");
        assert_eq!(fault.location, FaultLocation::Body("/a~1b~0c/amount".into()));
    }

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl fmt::Display for Failed {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl std::error::Error for Failed {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn an_error_is_told_with_its_sources() {
        let refused = Failed("connection refused", None);
        assert_eq!(with_sources(&refused), "connection refused");
        let request = Failed("dispatch failure", Some(Box::new(Failed("connect", Some(Box::new(refused))))));
        assert_eq!(with_sources(&request), "dispatch failure: connect: connection refused");
    }

    #[test]
    fn only_faults_of_the_body_have_a_pointer() {
        assert_eq!(
            Fault::parameter("limit", "is zero").under("x").location,
            FaultLocation::Parameter("limit".into())
        );
    }
}
