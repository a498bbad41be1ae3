//! Concerts, and the requests that create them.

use crate::{
    Error, Fault, Input, Timestamp,
    band::{Band, BandDraft, BandName},
    geo::Coordinates,
    id::{BandId, ConcertId, Id, UserId, VenueId},
    input::{Checked, Members, elements},
    saga::FailedStep,
    text::{self, text_type},
    user::Caller,
    venue::{Address, Venue, VenueDraft, VenueName},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// The maximum number of bands of a concert.
pub const MOST_BANDS: usize = 20;

/// A reference to an existing resource, or the draft of a new one.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice<I, D> {
    /// The id of an existing resource.
    Existing(I),
    /// The draft of a new resource.
    New(D),
}

impl<I: std::str::FromStr, D> Choice<I, D> {
    /// Parses `{"<member>": "<id>"}` as a reference, any other value as a draft.
    fn read(value: Value, member: &str, draft: impl FnOnce(Value) -> Checked<D>) -> Checked<Self> {
        if !value.as_object().is_some_and(|object| object.contains_key(member)) {
            return draft(value).map(Self::New);
        }
        let mut members = Members::of(value)?;
        let id = members.required(member, |value| {
            let id = text::string(value)?.parse();
            id.map_err(|_| vec![Fault::here("must be the id of something that exists")])
        });
        members.finish(|| id.map(Self::Existing))
    }
}

text_type! {
    /// A concert's name: one line of 1 to 200 characters.
    ConcertName = line(1, 200)
}

/// The body of a request to create a concert.
#[derive(Debug, Clone, PartialEq)]
pub struct ConcertDraft {
    /// The name.
    pub name: ConcertName,
    /// The start time.
    pub starts_at: Timestamp,
    /// The line-up: 1 to [`MOST_BANDS`] bands, no existing band twice.
    pub bands: Vec<Choice<BandId, BandDraft>>,
    /// The venue.
    pub venue: Choice<VenueId, VenueDraft>,
}

impl ConcertDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", ConcertName::from_value);
        let starts_at = members.required("startsAt", text::time);
        let bands = members.required("bands", |value| {
            let bands = elements(value, 1, MOST_BANDS, |band| Choice::read(band, "bandId", BandDraft::read))?;
            refuse_duplicates(bands)
        });
        let venue = members.required("venue", |value| Choice::read(value, "venueId", VenueDraft::read));
        members.finish(|| Some(Self { name: name?, starts_at: starts_at?, bands: bands?, venue: venue? }))
    }
}

fn refuse_duplicates(bands: Vec<Choice<BandId, BandDraft>>) -> Checked<Vec<Choice<BandId, BandDraft>>> {
    let repeats = |(index, band): (usize, &Choice<_, _>)| {
        let again = matches!(band, Choice::Existing(_)) && bands[..index].contains(band);
        again.then(|| Fault::here("is in the line-up already").under("bandId").under(&index.to_string()))
    };
    let faults: Vec<Fault> = bands.iter().enumerate().filter_map(repeats).collect();
    if faults.is_empty() { Ok(bands) } else { Err(faults) }
}

impl Input for ConcertDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

/// The existing bands and venue that a draft refers to, as read from the table. Missing ones are absent.
#[derive(Debug, Default)]
pub struct Referenced {
    /// The existing bands.
    pub bands: HashMap<BandId, Band>,
    /// The existing venue.
    pub venue: Option<Venue>,
}

impl ConcertDraft {
    /// The ids of the existing bands that the draft refers to.
    pub fn existing_bands(&self) -> Vec<BandId> {
        let existing = |band: &Choice<_, _>| if let Choice::Existing(id) = band { Some(*id) } else { None };
        self.bands.iter().filter_map(existing).collect()
    }

    /// The id of the existing venue that the draft refers to.
    pub fn existing_venue(&self) -> Option<VenueId> {
        if let Choice::Existing(id) = self.venue { Some(id) } else { None }
    }

    /// Turns the draft into a request with all ids. Each reference to a missing band or venue is a fault. `random`
    /// supplies the random bytes of new ids.
    pub fn resolve(
        self,
        caller: &Caller,
        now: Timestamp,
        known: &Referenced,
        mut random: impl FnMut() -> Result<[u8; 10], Error>,
    ) -> Result<ConcertRequest, Error> {
        let mut faults = Vec::new();
        let mut bands = Vec::new();
        for (index, band) in self.bands.into_iter().enumerate() {
            let band = match band {
                Choice::New(draft) => {
                    Some(RequestedBand { band_id: BandId::new(now, random()?), draft, new: true })
                }
                Choice::Existing(id) => known.bands.get(&id).map(|band| RequestedBand {
                    band_id: id,
                    draft: band.draft.clone(),
                    new: false,
                }),
            };
            let missing = || {
                Fault::here("There is no such band.").under("bandId").under(&index.to_string()).under("bands")
            };
            band.map_or_else(|| faults.push(missing()), |band| bands.push(band));
        }
        let venue = match (self.venue, &known.venue) {
            (Choice::New(draft), _) => {
                Some(RequestedVenue { venue_id: VenueId::new(now, random()?), draft, new: true })
            }
            (Choice::Existing(id), Some(venue)) => {
                Some(RequestedVenue { venue_id: id, draft: venue.draft.clone(), new: false })
            }
            (Choice::Existing(_), None) => None,
        };
        if venue.is_none() {
            faults.push(Fault::here("There is no such venue.").under("venueId").under("venue"));
        }
        match venue {
            Some(venue) if faults.is_empty() => Ok(ConcertRequest {
                concert_id: ConcertId::new(now, random()?),
                owner_id: caller.user_id,
                name: self.name,
                starts_at: self.starts_at,
                created_at: now,
                bands,
                venue,
            }),
            _ => Err(Error::Invalid(faults)),
        }
    }
}

/// A band of a concert request, existing or to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedBand {
    /// The id.
    pub band_id: BandId,
    /// The fields that its owner wrote.
    #[serde(flatten)]
    pub draft: BandDraft,
    /// Whether the request creates it.
    pub new: bool,
}

/// The venue of a concert request, existing or to be created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedVenue {
    /// The id.
    pub venue_id: VenueId,
    /// The fields that its owner wrote.
    #[serde(flatten)]
    pub draft: VenueDraft,
    /// Whether the request creates it.
    pub new: bool,
}

/// The input of the state machine that creates a concert. It does not change between retries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcertRequest {
    /// The concert's id, which is also the name of the execution.
    pub concert_id: ConcertId,
    /// The owner of the concert and of the new bands and venue.
    pub owner_id: UserId,
    /// The concert's name.
    pub name: ConcertName,
    /// The start time.
    pub starts_at: Timestamp,
    /// The time of the request.
    pub created_at: Timestamp,
    /// The line-up.
    pub bands: Vec<RequestedBand>,
    /// The venue.
    pub venue: RequestedVenue,
}

impl ConcertRequest {
    /// The concert that the request creates.
    pub fn concert(&self) -> Concert {
        let band = |band: &RequestedBand| Performer { band_id: band.band_id, name: band.draft.name.clone() };
        let RequestedVenue { venue_id, draft, .. } = &self.venue;
        let venue = VenueSummary {
            venue_id: *venue_id,
            name: draft.name.clone(),
            address: draft.address.clone(),
            place: draft.place,
        };
        Concert {
            concert_id: self.concert_id,
            owner_id: self.owner_id,
            name: self.name.clone(),
            bands: self.bands.iter().map(band).collect(),
            venue,
            starts_at: self.starts_at,
            created_at: self.created_at,
        }
    }

    /// The band that the request creates.
    pub fn band(&self, band: &RequestedBand) -> Band {
        let RequestedBand { band_id, draft, .. } = band.clone();
        Band { band_id, owner_id: self.owner_id, draft, created_at: self.created_at }
    }

    /// The venue that the request creates.
    pub fn new_venue(&self) -> Venue {
        let RequestedVenue { venue_id, draft, .. } = self.venue.clone();
        Venue { venue_id, owner_id: self.owner_id, draft, created_at: self.created_at }
    }
}

/// A band in the line-up of a concert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Performer {
    /// The band.
    pub band_id: BandId,
    /// The name.
    pub name: BandName,
}

/// The venue of a concert, as the concert shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VenueSummary {
    /// The venue.
    pub venue_id: VenueId,
    /// The name.
    pub name: VenueName,
    /// The postal address.
    pub address: Address,
    /// The coordinates.
    #[serde(flatten)]
    pub place: Coordinates,
}

/// A concert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Concert {
    /// The id.
    pub concert_id: ConcertId,
    /// The user who added it; only this user may delete it.
    pub owner_id: UserId,
    /// The name.
    pub name: ConcertName,
    /// The line-up.
    pub bands: Vec<Performer>,
    /// The venue.
    pub venue: VenueSummary,
    /// The start time.
    pub starts_at: Timestamp,
    /// The time of the request.
    pub created_at: Timestamp,
}

impl Concert {
    /// Checks that the caller may delete the concert: `Forbidden` unless the caller is its owner.
    pub fn delete(&self, caller: &Caller) -> Result<(), Error> {
        caller.must_be(self.owner_id, "Only its owner may delete a concert.")
    }
}

/// The state of a concert request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "camelCase")]
pub enum Progress {
    /// The request is being processed.
    Pending,
    /// The concert exists.
    Done,
    /// The request failed; everything that it created is deleted.
    Failed {
        /// The failed step and the reason.
        reason: FailedStep,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultLocation;
    use serde_json::json;

    fn pointers(value: Value) -> Vec<String> {
        pointers_of(ConcertDraft::from_json(value))
    }

    fn pointers_of<T>(read: Result<T, Error>) -> Vec<String> {
        let Err(Error::Invalid(faults)) = read else { panic!() };
        let pointer = |fault: Fault| match fault.location {
            FaultLocation::Body(pointer) => pointer,
            _ => String::new(),
        };
        faults.into_iter().map(pointer).collect()
    }

    #[test]
    fn bands_and_venue_are_new_or_existing() {
        let band: BandId = BandId::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
        let venue =
            json!({"name": "Hall", "address": "1 Road", "latitude": 1, "longitude": 2, "timeZone": "UTC"});
        let value = json!({"name": "Night", "startsAt": "2027-01-01T20:00:00+08:00", "bands": [{"bandId": band}, {"name": "New"}], "venue": venue});
        let draft = ConcertDraft::from_json(value).unwrap();
        assert_eq!(draft.bands[0], Choice::Existing(band));
        assert!(matches!(draft.bands[1], Choice::New(_)) && matches!(draft.venue, Choice::New(_)));
        assert_eq!(draft.starts_at.to_string(), "2027-01-01T12:00:00.000Z");
    }

    #[test]
    fn all_faults_of_a_draft_are_reported_with_their_pointers() {
        let band: BandId = BandId::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
        let value = json!({"name": "", "startsAt": "soon", "bands": [{"name": ""}, {"bandId": "x"}, {"bandId": band, "name": "a"}], "venue": {"venueId": 1}});
        assert_eq!(
            pointers(value),
            ["/name", "/startsAt", "/bands/0/name", "/bands/1/bandId", "/bands/2/name", "/venue/venueId"]
        );
        let twice = json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [{"bandId": band}, {"bandId": band}], "venue": {"venueId": band}});
        assert_eq!(pointers(twice), ["/bands/1/bandId"]);
        let no_bands =
            json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [], "venue": {"venueId": band}});
        assert_eq!(pointers(no_bands), ["/bands"]);
    }

    #[test]
    fn missing_bands_and_venues_are_faults() {
        let now = Timestamp::from_unix_milliseconds(1);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let (existing, missing) = (BandId::new(now, [3; 10]), BandId::new(now, [4; 10]));
        let value = json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [{"bandId": existing}, {"bandId": missing}, {"name": "New"}],
            "venue": {"venueId": VenueId::new(now, [5; 10])}});
        let draft = ConcertDraft::from_json(value).unwrap();
        assert_eq!(draft.existing_bands(), [existing, missing]);
        let band_draft = BandDraft { name: "There".parse().unwrap(), genre: None };
        let band = Band { band_id: existing, owner_id: caller.user_id, draft: band_draft, created_at: now };
        let known = Referenced { bands: HashMap::from([(existing, band)]), venue: None };
        let resolved = draft.resolve(&caller, now, &known, || Ok([9; 10]));
        assert_eq!(pointers_of(resolved), ["/bands/1/bandId", "/venue/venueId"]);
    }

    #[test]
    fn an_existing_venue_and_new_bands_resolve_to_a_request() {
        let now = Timestamp::from_unix_milliseconds(1);
        let owner = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let venue_id = VenueId::new(now, [5; 10]);
        let value = json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [{"name": "New"}], "venue": {"venueId": venue_id}});
        let draft = ConcertDraft::from_json(value).unwrap();
        assert_eq!(draft.existing_venue(), Some(venue_id));
        let hall =
            json!({"name": "Hall", "address": "1 Road", "latitude": 1, "longitude": 2, "timeZone": "UTC"});
        let hall = VenueDraft::from_json(hall).unwrap();
        let venue = Venue { venue_id, owner_id: owner.user_id, draft: hall.clone(), created_at: now };
        let known = Referenced { bands: HashMap::new(), venue: Some(venue) };
        let request = draft.resolve(&owner, now, &known, || Ok([9; 10])).unwrap();
        assert_eq!(request.venue, RequestedVenue { venue_id, draft: hall, new: false });
        assert_eq!(request.bands.iter().map(|band| band.new).collect::<Vec<_>>(), [true]);
        assert_eq!(request.owner_id, owner.user_id);
    }
}
