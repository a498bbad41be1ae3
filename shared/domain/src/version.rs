//! Versions, for optimistic locking.

use crate::{Error, Version};

/// Which versions a caller has seen: what `If-Match` says (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Whichever is current: `*`.
    Any,
    /// One of these.
    Versions(Vec<Version>),
}

impl Seen {
    /// Fails when the current version is not among those seen.
    pub fn check(&self, current: Version) -> Result<(), Error> {
        match self {
            Self::Versions(seen) if !seen.contains(&current) => Err(Error::Stale { current }),
            Self::Any | Self::Versions(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_version_has_to_be_among_those_seen() {
        assert_eq!(Seen::Any.check(7), Ok(()));
        assert_eq!(Seen::Versions(vec![1, 7]).check(7), Ok(()));
        assert_eq!(Seen::Versions(vec![1]).check(7), Err(Error::Stale { current: 7 }));
        assert_eq!(Seen::Versions(vec![]).check(7), Err(Error::Stale { current: 7 }));
    }
}
