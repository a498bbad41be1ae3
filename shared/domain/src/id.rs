//! Ids: UUIDv7 (RFC 9562) in their hyphenated form, one type for each resource type.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

/// The interface of all id types.
pub trait Id: Sized + fmt::Display + FromStr<Err = NotAnId> {
    /// The noun of the resource type, as in "There is no such product."
    const WHAT: &'static str;

    /// A new UUIDv7. Ids sort by `now`, to the millisecond.
    fn new(now: Timestamp, random: [u8; 10]) -> Self;
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The sixteen bytes of the id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The time at which the id was made, to the millisecond.
            pub fn made_at(&self) -> Timestamp {
                let milliseconds = self.0.as_u128() >> 80;
                Timestamp::from_unix_milliseconds(u64::try_from(milliseconds).unwrap_or_default())
            }

            /// The largest value that sorts before this id, for a list in descending order that continues after it.
            #[must_use]
            pub fn before(&self) -> Self {
                Self(Uuid::from_u128(self.0.as_u128().saturating_sub(1)))
            }

            /// The id of these sixteen bytes. The UUID version is not checked.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl Id for $name {
            const WHAT: &'static str = $what;

            fn new(now: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(now.unix_milliseconds(), &random).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }
        }
    };
}

id!(
    /// The id of a registered user (customer, seller or reviewer).
    UserId, "user"
);
id!(
    /// The id of a session: one log-in and all refresh tokens that follow from it.
    SessionId, "session"
);
id!(
    /// The id of a product in the catalog.
    ProductId, "product"
);

id!(
    /// The id of a band.
    BandId, "band"
);
id!(
    /// The id of a venue.
    VenueId, "venue"
);
id!(
    /// The id of a concert, assigned when it is requested.
    ConcertId, "concert"
);
id!(
    /// The id of an order, assigned when it is placed.
    OrderId, "order"
);

id!(
    /// The id of a price experiment, assigned when it is drafted.
    ExperimentId, "experiment"
);
id!(
    /// The id of a visitor, which is assigned by us and hashed to find the variant of an experiment.
    VisitorUuid, "visitor"
);

/// Parses a UUIDv7. Accepts only the hyphenated form in lower case, so that each id has one spelling.
fn parse(text: &str) -> Result<Uuid, NotAnId> {
    let canonical = |b: u8| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 36 || !text.bytes().all(canonical) {
        return Err(NotAnId);
    }
    let id = Uuid::try_parse(text).map_err(|_| NotAnId)?;
    let is_version_7 =
        id.get_version() == Some(uuid::Version::SortRand) && id.get_variant() == uuid::Variant::RFC4122;
    if is_version_7 { Ok(id) } else { Err(NotAnId) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuid_version_7_and_sort_by_time() {
        let early = ProductId::new(Timestamp::from_unix_milliseconds(1_700_000_000_000), [255; 10]);
        let late = ProductId::new(Timestamp::from_unix_milliseconds(1_700_000_000_001), [0; 10]);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.0.get_version_num(), 7);
        assert_eq!(late.made_at(), Timestamp::from_unix_milliseconds(1_700_000_000_001));
        assert_eq!(late.to_string().parse(), Ok(late));
    }

    #[test]
    fn other_uuid_spellings_and_versions_are_refused() {
        let others = [
            "",
            "x",
            "018bcfe56800700080000000000000000",
            "018BCFE5-6800-7000-8000-000000000000",
            "018bcfe5-6800-4000-8000-000000000000",
            "018bcfe5-6800-7000-c000-000000000000",
            "00000000-0000-0000-0000-000000000000",
        ];
        for text in others {
            assert_eq!(text.parse::<ProductId>(), Err(NotAnId), "{text}");
        }
    }
}
