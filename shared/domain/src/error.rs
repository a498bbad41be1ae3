//! What can go wrong, in terms that know nothing of HTTP.

use crate::{Version, limit::Standing, order::Reason};

/// Where in a request a fault lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON Pointer (RFC 6901) into the body; empty for the body itself.
    Body(String),
    /// A query parameter.
    Parameter(String),
    /// A header field.
    Header(&'static str),
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it lies.
    pub place: Place,
    /// What is wrong, for the caller to read; it never repeats a secret.
    pub detail: String,
}

impl Fault {
    /// A fault of the value itself; whoever holds the value adds where it stands.
    pub fn here(detail: impl Into<String>) -> Self {
        Self { place: Place::Body(String::new()), detail: detail.into() }
    }

    /// A fault of a query parameter.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { place: Place::Parameter(name.into()), detail: detail.into() }
    }

    /// A fault of a header field.
    pub fn header(name: &'static str, detail: impl Into<String>) -> Self {
        Self { place: Place::Header(name), detail: detail.into() }
    }

    /// The same fault, seen from the object that holds the faulty value as `member`.
    #[must_use]
    pub fn under(mut self, member: &str) -> Self {
        if let Place::Body(pointer) = &mut self.place {
            let escaped = member.replace('~', "~0").replace('/', "~1");
            pointer.insert_str(0, &escaped);
            pointer.insert(0, '/');
        }
        self
    }
}

/// Why something was not done. What the caller may read and what only the log may hold are different fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The input breaks rules; all of them are listed.
    Invalid(Vec<Fault>),
    /// Who calls is not known: no token, or credentials that do not fit.
    Unauthenticated {
        /// For the caller.
        detail: &'static str,
    },
    /// The caller is known and may not.
    Forbidden {
        /// For the caller.
        detail: &'static str,
    },
    /// There is no such thing, or none that the caller may know of.
    NotFound {
        /// What was looked for, as in "There is no such product."
        what: &'static str,
    },
    /// The present state does not allow it.
    Conflict {
        /// For the caller.
        detail: &'static str,
    },
    /// The caller has seen another version than the current one.
    Stale {
        /// The current version.
        current: Version,
    },
    /// An order cannot be carried out, for a reason that is the customer's to mend.
    Rejected(Reason),
    /// An idempotency key was used before with another request.
    KeyReused,
    /// A rate limit is spent.
    TooMany(Vec<Standing>),
    /// Something that we depend on did not answer in time or not now; the same request may succeed later.
    Unavailable {
        /// For the log.
        cause: String,
    },
    /// Something is wrong on our side.
    Internal {
        /// For the log.
        cause: String,
    },
}

impl Error {
    /// One fault alone.
    pub fn invalid(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }

    /// Our own mistake, told to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal { cause: cause.into() }
    }

    /// A dependency's failure, told to the log only.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self::Unavailable { cause: cause.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_built_from_the_inside_out_and_escaped() {
        let fault = Fault::here("is negative").under("amount").under("a/b~c");
        assert_eq!(fault.place, Place::Body("/a~1b~0c/amount".into()));
    }

    #[test]
    fn only_faults_of_the_body_have_a_pointer() {
        assert_eq!(Fault::parameter("limit", "is zero").under("x").place, Place::Parameter("limit".into()));
    }
}
