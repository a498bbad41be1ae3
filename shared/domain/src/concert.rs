//! Concerts, and the requests that bring them about.

use crate::{
    Error, Fault, Input, Timestamp,
    band::{Band, BandDraft},
    geo::Place,
    id::{BandId, ConcertId, Id, UserId, VenueId},
    input::{Checked, Members, elements},
    saga::FailedStep,
    text,
    user::Caller,
    venue::{Venue, VenueDraft},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// How many bands a concert has at most.
pub const MOST_BANDS: usize = 20;

/// A thing that is there already, or a new one.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice<I, D> {
    /// The one of this id.
    Existing(I),
    /// A new one.
    New(D),
}

impl<I: std::str::FromStr, D> Choice<I, D> {
    /// `{"<member>": "<id>"}`, or what is said of a new one.
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

/// What is sent to create a concert.
#[derive(Debug, Clone, PartialEq)]
pub struct ConcertDraft {
    /// One line of 1 to 200 characters.
    pub name: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// Who plays: 1 to [`MOST_BANDS`], none twice.
    pub bands: Vec<Choice<BandId, BandDraft>>,
    /// Where.
    pub venue: Choice<VenueId, VenueDraft>,
}

impl ConcertDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", |value| text::line(value, 1, 200));
        let starts_at = members.required("startsAt", |value| {
            let at = text::string(value)?.parse();
            at.map_err(|_| vec![Fault::here("must be an RFC 3339 date and time since 1970")])
        });
        let bands = members.required("bands", |value| {
            let bands = elements(value, 1, MOST_BANDS, |band| Choice::read(band, "bandId", BandDraft::read))?;
            different(bands)
        });
        let venue = members.required("venue", |value| Choice::read(value, "venueId", VenueDraft::read));
        members.finish(|| Some(Self { name: name?, starts_at: starts_at?, bands: bands?, venue: venue? }))
    }
}

fn different(bands: Vec<Choice<BandId, BandDraft>>) -> Checked<Vec<Choice<BandId, BandDraft>>> {
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

/// What a draft refers to, as far as it is there.
#[derive(Debug, Default)]
pub struct Known {
    /// The bands.
    pub bands: HashMap<BandId, Band>,
    /// The venue.
    pub venue: Option<Venue>,
}

impl ConcertDraft {
    /// The bands that it refers to.
    pub fn existing_bands(&self) -> Vec<BandId> {
        let existing = |band: &Choice<_, _>| if let Choice::Existing(id) = band { Some(*id) } else { None };
        self.bands.iter().filter_map(existing).collect()
    }

    /// The venue that it refers to.
    pub fn existing_venue(&self) -> Option<VenueId> {
        if let Choice::Existing(id) = self.venue { Some(id) } else { None }
    }

    /// The request that it makes, with all ids. What it refers to and is not there is a fault at its place. `random`
    /// makes new ids.
    pub fn resolve(
        self,
        caller: &Caller,
        now: Timestamp,
        known: &Known,
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

/// A band of a request, there already or to be created with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedBand {
    /// The id.
    pub band_id: BandId,
    /// What is said of it.
    #[serde(flatten)]
    pub draft: BandDraft,
    /// Whether it is created with the concert.
    pub new: bool,
}

/// The venue of a request, there already or to be created with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedVenue {
    /// The id.
    pub venue_id: VenueId,
    /// What is said of it.
    #[serde(flatten)]
    pub draft: VenueDraft,
    /// Whether it is created with the concert.
    pub new: bool,
}

/// A request for a concert with all that it takes to carry it out: the input of the state machine, fixed once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcertRequest {
    /// The concert's id, and the name of the execution.
    pub concert_id: ConcertId,
    /// Whose concert, and whose new bands and venue.
    pub owner_id: UserId,
    /// The concert's name.
    pub name: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who plays.
    pub bands: Vec<RequestedBand>,
    /// Where.
    pub venue: RequestedVenue,
}

impl ConcertRequest {
    /// The concert that it asks for.
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

    /// A new band of the request, as it will be.
    pub fn band(&self, band: &RequestedBand) -> Band {
        let RequestedBand { band_id, draft, .. } = band.clone();
        Band { band_id, owner_id: self.owner_id, draft, created_at: self.created_at }
    }

    /// The new venue of the request, as it will be.
    pub fn new_venue(&self) -> Venue {
        let RequestedVenue { venue_id, draft, .. } = self.venue.clone();
        Venue { venue_id, owner_id: self.owner_id, draft, created_at: self.created_at }
    }
}

/// Who plays at a concert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Performer {
    /// The band.
    pub band_id: BandId,
    /// Its name.
    pub name: String,
}

/// Where a concert is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VenueSummary {
    /// The venue.
    pub venue_id: VenueId,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
}

/// A concert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Concert {
    /// The id.
    pub concert_id: ConcertId,
    /// Who added it, and alone may delete it.
    pub owner_id: UserId,
    /// What it is called.
    pub name: String,
    /// Who plays.
    pub bands: Vec<Performer>,
    /// Where.
    pub venue: VenueSummary,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl Concert {
    /// Whether the caller may delete it.
    pub fn delete(&self, caller: &Caller) -> Result<(), Error> {
        if self.owner_id == caller.user_id {
            Ok(())
        } else {
            Err(Error::Forbidden { detail: "Only who added a concert may delete it." })
        }
    }
}

/// How a request for a concert stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "camelCase")]
pub enum Progress {
    /// It is under way.
    Pending,
    /// The concert is there.
    Done,
    /// It failed, and left nothing behind.
    Failed {
        /// At which step, and why.
        reason: FailedStep,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place as FaultPlace;
    use serde_json::json;

    fn pointers(value: Value) -> Vec<String> {
        places(ConcertDraft::from_json(value))
    }

    fn places<T>(read: Result<T, Error>) -> Vec<String> {
        let Err(Error::Invalid(faults)) = read else { panic!() };
        let pointer = |fault: Fault| match fault.place {
            FaultPlace::Body(pointer) => pointer,
            _ => String::new(),
        };
        faults.into_iter().map(pointer).collect()
    }

    #[test]
    fn bands_and_venue_are_new_or_there_already() {
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
    fn every_fault_is_placed_where_it_is() {
        let band: BandId = BandId::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
        let value = json!({"name": "", "startsAt": "soon", "bands": [{"name": ""}, {"bandId": "x"}, {"bandId": band, "name": "a"}], "venue": {"venueId": 1}});
        assert_eq!(
            pointers(value),
            ["/name", "/startsAt", "/bands/0/name", "/bands/1/bandId", "/bands/2/name", "/venue/venueId"]
        );
        let twice = json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [{"bandId": band}, {"bandId": band}], "venue": {"venueId": band}});
        assert_eq!(pointers(twice), ["/bands/1/bandId"]);
        let nobody =
            json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [], "venue": {"venueId": band}});
        assert_eq!(pointers(nobody), ["/bands"]);
    }

    #[test]
    fn what_is_referred_to_has_to_be_there() {
        let now = Timestamp::from_unix_milliseconds(1);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let (there, not) = (BandId::new(now, [3; 10]), BandId::new(now, [4; 10]));
        let value = json!({"name": "a", "startsAt": "2027-01-01T20:00:00Z", "bands": [{"bandId": there}, {"bandId": not}, {"name": "New"}],
            "venue": {"venueId": VenueId::new(now, [5; 10])}});
        let draft = ConcertDraft::from_json(value).unwrap();
        assert_eq!(draft.existing_bands(), [there, not]);
        let band_draft = BandDraft { name: "There".into(), genre: None };
        let band = Band { band_id: there, owner_id: caller.user_id, draft: band_draft, created_at: now };
        let known = Known { bands: HashMap::from([(there, band)]), venue: None };
        let resolved = draft.resolve(&caller, now, &known, || Ok([9; 10]));
        assert_eq!(places(resolved), ["/bands/1/bandId", "/venue/venueId"]);
    }
}
