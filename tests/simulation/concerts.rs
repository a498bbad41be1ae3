//! Concerts: promoters request concerts with new bands and new venues, some twice at the same time, and readers look at
//! what is there.

use crate::{
    api::{self, Call, Told},
    chance,
    lambda::Event,
    run::Scenario,
    simulation::{SWEEP_AFTER_SECONDS, Simulation},
};
use domain::{
    concert::Progress,
    id::{BandId, ConcertId, VenueId},
};
use serde_json::{Value, json};
use table::keys;

const READER: u32 = 8;

/// Two promoters request a concert each, and readers look at the first thing of it that is there.
pub const CONCERTS: Scenario = Scenario {
    name: "concerts",
    start,
    sweeps: &["concert-sweep"],
    is_unfinished,
    check,
    reaches: &["invoke concert-publish", "invoke concert-undo", "last sweep: concert-sweep"],
};

fn start(simulation: &Simulation, mut variation: u64) {
    let mut below = move |end: u64| chance::next(&mut variation) % end;
    for (name, promoter) in [("alice", 1), ("bob", 2)] {
        let bands: Vec<Value> = (0..=below(3)).map(|band| json!({"name": format!("Band {band}")})).collect();
        let venue = json!({"name": "Hall", "address": "1 Road", "latitude": 1.25, "longitude": 103.75, "timeZone": "Asia/Singapore"});
        let body =
            json!({"name": name, "startsAt": "2030-01-01T20:00:00+08:00", "bands": bands, "venue": venue});
        let (waits, repeats) = (below(2) == 0, below(2) == 0);
        for name in [name, "again"].into_iter().take(1 + usize::from(repeats)) {
            let body = body.clone();
            simulation.client(name, move |simulation| async move {
                let request = Call { body, waits, ..Call::to("concert-create", promoter) };
                api::call_or(&simulation, &request, &[422]).await;
            });
        }
    }
    let sweeps = 2 * below(2);
    simulation.client("schedule", move |simulation| async move {
        for _ in 0..sweeps {
            simulation.wait_ms((SWEEP_AFTER_SECONDS + 30) * 1000).await;
            simulation.invoke("concert-sweep", Event::Step(json!({}))).await;
        }
    });
    for reader in 0..2 {
        let looks_at = below(3);
        simulation.client(&format!("reader {reader}"), move |simulation| async move {
            let is_there = move |simulation: &Simulation| first(simulation, looks_at).is_some();
            simulation.until("something of a concert is there", Vec::new(), is_there).await;
            if let Some(seen) = first(&simulation, looks_at) {
                look(&simulation, &seen).await;
            }
        });
    }
}

/// The ids of a concert, and of its bands and its venue that are new.
struct Ids {
    concert: ConcertId,
    bands: Vec<BandId>,
    venue: Option<VenueId>,
}

impl Ids {
    fn of(request: &Value) -> Self {
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        let new = |part: &&Value| part["new"] == true;
        let bands = request["bands"].as_array().unwrap().iter().filter(new);
        Self {
            concert: id(&request["concertId"]).parse().unwrap(),
            bands: bands.map(|band| id(&band["bandId"]).parse().unwrap()).collect(),
            venue: Some(&request["venue"]).filter(new).map(|venue| id(&venue["venueId"]).parse().unwrap()),
        }
    }

    /// The keys of everything that the request creates.
    fn keys(&self) -> Vec<keys::Key> {
        let bands = self.bands.iter().map(|id| keys::band(*id));
        let line_up = self.bands.iter().map(|id| keys::line_up_entry(self.concert, *id));
        let places = domain::geo::Level::ALL.map(|level| keys::concert_place(self.concert, level));
        bands.chain(line_up).chain(places).chain(self.venue.map(keys::venue)).collect()
    }
}

/// The requests in the table, and how far each got.
fn requests(simulation: &Simulation) -> Vec<(Ids, Progress)> {
    let items = simulation.world().items().into_iter().filter(|item| item["sk"]["S"] == "REQUEST");
    let parse = |item: &Value, name: &str| item[name]["S"].as_str().unwrap().to_owned();
    let request = |item: Value| {
        let input = serde_json::from_str(&parse(&item, "input")).unwrap();
        (Ids::of(&input), serde_json::from_str(&parse(&item, "progress")).unwrap())
    };
    items.map(request).collect()
}

/// The first request of which the concert, a band or the venue is stored, visible or not.
fn first(simulation: &Simulation, part: u64) -> Option<Ids> {
    let is_stored = |ids: &Ids| {
        let key = match part {
            0 => Some(keys::concert(ids.concert)),
            1 => ids.bands.last().map(|id| keys::band(*id)),
            _ => ids.venue.map(keys::venue),
        };
        key.is_some_and(|key| simulation.world().item(&key).is_object())
    };
    requests(simulation).into_iter().map(|(ids, _)| ids).find(is_stored)
}

/// Reads everything that a request creates, twice. Nobody deletes a concert here: what was there stays, and if a part is
/// there, the whole is.
async fn look(simulation: &Simulation, ids: &Ids) {
    let mut parts = vec![("concert-get", "concertId", ids.concert.to_string())];
    parts.extend(ids.bands.iter().map(|id| ("band-get", "bandId", id.to_string())));
    parts.extend(ids.venue.map(|id| ("venue-get", "venueId", id.to_string())));
    let mut seen = None;
    for (function, name, id) in parts.iter().chain(parts.iter().rev()) {
        let path = vec![(*name, id.clone())];
        let request = Call { path, ..Call::to(function, READER) };
        let Some(Told { status, body }) = api::call_or(simulation, &request, &[404]).await else { continue };
        let is_there = status == 200 && body["progress"].is_null() && body["status"].is_null();
        match (&seen, is_there) {
            (Some(before), false) => {
                simulation.find(format!("{before} answers with a part, and {function} does not after it"));
            }
            (None, true) => seen = Some(*function),
            _ => {}
        }
    }
}

fn is_unfinished(item: &Value) -> bool {
    item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("UNFINISHED#"))
}

fn check(simulation: &Simulation) -> Vec<String> {
    let mut wrong = Vec::new();
    for (ids, progress) in requests(simulation) {
        let concert = ids.concert;
        let stored: Vec<_> = ids.keys().into_iter().map(|key| (simulation.world().item(&key), key)).collect();
        if progress == Progress::Pending {
            wrong.push(format!("the request for {concert} is still pending"));
        }
        for (item, keys::Key { pk, sk }) in stored {
            let visible = item.is_object() && item["pendingFor"].is_null();
            if item.is_object() && !visible {
                wrong.push(format!("the request for {concert} is over, and {pk} {sk} is left hidden"));
            }
            if visible != (progress == Progress::Done) {
                wrong.push(format!("{pk} {sk} is visible: {visible}, and its request is {progress:?}"));
            }
        }
    }
    wrong
}

#[test]
fn a_concert_is_created_whole_or_not_at_all() {
    CONCERTS.assert_holds(200);
}
