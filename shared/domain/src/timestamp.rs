//! Points in time, to the millisecond.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

/// A point in time in UTC, to the millisecond. The text is RFC 3339 with exactly three decimals, so that texts sort by
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The last millisecond of the year 9999: RFC 3339 has four-digit years.
const LAST: u64 = 253_402_300_799_999;

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z. Values after the year 9999 become its last millisecond.
    pub fn from_unix_milliseconds(milliseconds: u64) -> Self {
        Self(milliseconds.min(LAST))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_milliseconds(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The point in time `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self::from_unix_milliseconds(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The point in time `seconds` earlier, at the earliest the start of 1970.
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        Self::from_unix_milliseconds(self.0.saturating_sub(seconds.saturating_mul(1000)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?
            .format(&format)
            .map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// The text is not an RFC 3339 date and time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATimestamp;

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotATimestamp)?;
        let milliseconds = parsed.to_offset(UtcOffset::UTC).unix_timestamp_nanos() / 1_000_000;
        u64::try_from(milliseconds).map(Self::from_unix_milliseconds).map_err(|_| NotATimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("not an RFC 3339 date and time"))
    }
}

/// As a number of milliseconds since 1970, for `#[serde(with = …)]`.
pub mod milliseconds {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    /// Writes the number.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.unix_milliseconds())
    }

    /// Reads the number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_unix_milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_three_decimals_and_round_trip() {
        let at = Timestamp::from_unix_milliseconds(1_763_659_827_040);
        assert_eq!(at.to_string(), "2025-11-20T17:30:27.040Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("2025-11-20T18:30:27.04+01:00".parse(), Ok(at));
    }

    #[test]
    fn the_largest_timestamp_is_the_end_of_the_year_9999() {
        assert_eq!(Timestamp::from_unix_milliseconds(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn texts_that_are_not_rfc_3339_since_1970_are_refused() {
        for text in ["", "yesterday", "2025-11-20", "1969-12-31T23:59:59Z", "2025-02-30T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATimestamp), "{text}");
        }
    }
}
