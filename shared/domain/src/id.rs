//! Ids: UUIDv7 (RFC 9562) in their hyphenated form, one type for each kind of thing.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text that is no id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

/// What all ids have in common.
pub trait Id: Sized + fmt::Display + FromStr<Err = NotAnId> {
    /// What the id names, as in "There is no such product."
    const WHAT: &'static str;

    /// A new id, sorted by time to the millisecond.
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

            /// The value that sorts just before this id: where a list goes on below it.
            #[must_use]
            pub fn before(&self) -> Self {
                Self(Uuid::from_u128(self.0.as_u128().saturating_sub(1)))
            }

            /// The id that these sixteen bytes are.
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
    /// A registered user, who may be a customer, a seller, a reviewer.
    UserId, "user"
);
id!(
    /// A log-in, and the family of refresh tokens that came of it.
    SessionId, "session"
);
id!(
    /// A product in the catalog.
    ProductId, "product"
);

id!(
    /// A band.
    BandId, "band"
);
id!(
    /// A place where concerts are held.
    VenueId, "venue"
);
id!(
    /// A concert, from the moment it is asked for.
    ConcertId, "concert"
);
id!(
    /// An order, from the moment it is placed.
    OrderId, "order"
);

/// Only version 7, hyphenated and in lower case, is an id: one thing has one name.
fn parse(text: &str) -> Result<Uuid, NotAnId> {
    let canonical = |b: u8| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 36 || !text.bytes().all(canonical) {
        return Err(NotAnId);
    }
    let id = Uuid::try_parse(text).map_err(|_| NotAnId)?;
    let ours =
        id.get_version() == Some(uuid::Version::SortRand) && id.get_variant() == uuid::Variant::RFC4122;
    if ours { Ok(id) } else { Err(NotAnId) }
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
        assert_eq!(late.to_string().parse(), Ok(late));
    }

    #[test]
    fn other_spellings_are_no_ids() {
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
