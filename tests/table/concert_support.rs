//! Sample bands, venues and concerts; the same number always gives the same sample.

use domain::{
    Timestamp,
    band::{Band, BandDraft},
    concert::{Concert, ConcertRequest, Performer, RequestedBand, RequestedVenue, VenueSummary},
    geo::{Area, Coordinates},
    id::{BandId, ConcertId, Id, VenueId},
    page::PageSize,
    venue::{Venue, VenueDraft},
};
use serde::Serialize;
use serde_json::Value;
use table::{ConcertQuery, FoundConcert, Sort, keys};
use tests::{
    World,
    items::{item_of, of_concert, with_key},
    samples::{later, now, user_id},
};

/// The owner of all bands, venues and concerts.
pub const OWNER: u32 = 7;

fn new_id<I: Id>(number: u32) -> I {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    I::new(now(), random)
}

pub fn band_id(number: u32) -> BandId {
    new_id(number)
}

pub fn venue_id(number: u32) -> VenueId {
    new_id(number)
}

/// A concert's id; a higher number gives an id that sorts later.
pub fn concert_id(number: u32) -> ConcertId {
    new_id(number)
}

pub fn place(latitude: f64, longitude: f64) -> Coordinates {
    Coordinates { latitude, longitude }
}

/// The coordinates of sample concerts, in Singapore.
pub fn home() -> Coordinates {
    place(1.25, 103.75)
}

fn band_draft(number: u32) -> BandDraft {
    BandDraft { name: format!("Band {number}").parse().unwrap(), genre: Some("Jazz".parse().unwrap()) }
}

fn venue_draft(number: u32) -> VenueDraft {
    let (name, address) = (format!("Hall {number}").parse().unwrap(), "1 Road".parse().unwrap());
    VenueDraft { name, address, place: home(), time_zone: "Asia/Singapore".parse().unwrap() }
}

pub fn band(number: u32) -> Band {
    let (band_id, draft) = (band_id(number), band_draft(number));
    Band { band_id, owner_id: user_id(OWNER), draft, created_at: now() }
}

pub fn venue(number: u32) -> Venue {
    let (venue_id, draft) = (venue_id(number), venue_draft(number));
    Venue { venue_id, owner_id: user_id(OWNER), draft, created_at: now() }
}

/// A band in a request.
pub fn requested_band(number: u32, new: bool) -> RequestedBand {
    RequestedBand { band_id: band_id(number), draft: band_draft(number), new }
}

/// A venue in a request.
pub fn requested_venue(number: u32, new: bool) -> RequestedVenue {
    RequestedVenue { venue_id: venue_id(number), draft: venue_draft(number), new }
}

/// A request for a concert with a new band and a new venue of the same number.
pub fn request(number: u32) -> ConcertRequest {
    request_with(number, vec![requested_band(number, true)], requested_venue(number, true))
}

/// A request for a concert one hour after `now()`.
pub fn request_with(number: u32, bands: Vec<RequestedBand>, venue: RequestedVenue) -> ConcertRequest {
    ConcertRequest {
        concert_id: concert_id(number),
        owner_id: user_id(OWNER),
        name: format!("Night {number}").parse().unwrap(),
        starts_at: later(3600),
        created_at: now(),
        bands,
        venue,
    }
}

/// A concert of these bands, this number of seconds after `now()`.
pub fn concert(number: u32, place: Coordinates, seconds: u64, bands: &[u32]) -> Concert {
    let performer = |number: &u32| Performer {
        band_id: band_id(*number),
        name: format!("Band {number}").parse().unwrap(),
    };
    let (name, address) = (format!("Hall {number}").parse().unwrap(), "1 Road".parse().unwrap());
    Concert {
        concert_id: concert_id(number),
        owner_id: user_id(OWNER),
        name: format!("Night {number}").parse().unwrap(),
        bands: bands.iter().map(performer).collect(),
        venue: VenueSummary { venue_id: venue_id(number), name, address, place },
        starts_at: later(seconds),
        created_at: now(),
    }
}

/// The items of a concert in DynamoDB's JSON format.
pub fn written(concert: &Concert) -> Vec<Value> {
    of_concert(concert).into_iter().map(|item| serde_json::to_value(item).unwrap()).collect()
}

/// The item of a band or a venue, with this key, in DynamoDB's JSON format.
pub fn written_under(key: keys::Key, value: &impl Serialize) -> Value {
    let mut item = item_of(value);
    with_key(&mut item, ["pk", "sk"], key);
    serde_json::to_value(item).unwrap()
}

/// Loads concerts into the table without their requests, bands and venues.
pub fn load<'a>(world: &World, concerts: impl IntoIterator<Item = &'a Concert>) {
    world.import(concerts.into_iter().flat_map(of_concert).collect());
}

/// A search for all concerts from `now()` on in this area.
pub fn near(center: Coordinates, radius_km: f64) -> ConcertQuery {
    let area = Some(Area { center, radius_km });
    ConcertQuery { bands: Vec::new(), area, from: now(), to: end_of_time(), sort: Sort::Soonest }
}

/// A search for all concerts of these bands from `now()` on.
pub fn of_bands(bands: &[u32]) -> ConcertQuery {
    let bands = bands.iter().copied().map(band_id).collect();
    ConcertQuery { bands, area: None, from: now(), to: end_of_time(), sort: Sort::Soonest }
}

pub fn end_of_time() -> Timestamp {
    Timestamp::from_unix_milliseconds(u64::MAX)
}

pub fn size(size: i64) -> PageSize {
    PageSize::new(size).unwrap()
}

/// Reads all pages of a search; returns the size of each page, and all concerts.
pub async fn read_to_the_end(
    world: &World,
    wanted: &ConcertQuery,
    size: PageSize,
) -> (Vec<usize>, Vec<FoundConcert>) {
    let (mut sizes, mut all, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = world.table.concerts(wanted, size, after).await.unwrap();
        sizes.push(page.items.len());
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return (sizes, all);
        }
    }
}

/// The ids of the found concerts.
pub fn ids(found: &[FoundConcert]) -> Vec<ConcertId> {
    found.iter().map(|found| found.concert.concert_id).collect()
}

/// Creates the bands, venue and concert of a request, not yet published.
pub async fn prepare(world: &World, request: &ConcertRequest) {
    let id = request.concert_id;
    for band in request.bands.iter().filter(|band| band.new) {
        world.table.prepare_band(&request.band(band), id).await.unwrap();
    }
    if request.venue.new {
        world.table.prepare_venue(&request.new_venue(), id).await.unwrap();
    }
    world.table.prepare_concert(&request.concert()).await.unwrap();
}
