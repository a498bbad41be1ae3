//! Optimistic locking by version.

use crate::{Error, Version};

/// The versions that `If-Match` names (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// `*`: any current version.
    Any,
    /// The current version must be one of these.
    Versions(Vec<Version>),
}

impl Seen {
    /// Fails with `Stale` unless `If-Match` names the current version.
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
    fn a_version_that_if_match_does_not_name_is_stale() {
        assert_eq!(Seen::Any.check(7), Ok(()));
        assert_eq!(Seen::Versions(vec![1, 7]).check(7), Ok(()));
        assert_eq!(Seen::Versions(vec![1]).check(7), Err(Error::Stale { current: 7 }));
        assert_eq!(Seen::Versions(vec![]).check(7), Err(Error::Stale { current: 7 }));
    }
}
