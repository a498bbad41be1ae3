//! The cost of a search does not depend on the number of concerts in other places or at other times.

use crate::{
    concert_support::{concert, near, of_bands, place, size},
    geo::beyond,
};
use domain::{concert::Concert, geo::Coordinates};
use std::{
    f64::consts::TAU,
    sync::mpsc::sync_channel,
    thread,
    time::{Duration, Instant},
};
use table::{ConcertQuery, FoundConcert, Sort};
use tests::{World, items::of_concert, samples::later};

/// The total number of concerts.
const FEW: u32 = 1_000;
const MANY: u32 = 20_000;

/// The number of concerts in town in the searched month; each is played by one of ten bands.
const IN_TOWN: u32 = 300;

/// The number of bands that play elsewhere and never in town.
const OTHER_BANDS: u32 = 5_000;

/// A month, in seconds.
const MONTH: u64 = 30 * 24 * 3600;

fn town() -> Coordinates {
    place(48.2, 16.37)
}

/// A pseudo-random number generator with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(((self.0 >> 33) * u64::from(end)) >> 31).unwrap()
    }

    fn part(&mut self) -> f64 {
        f64::from(self.below(1_000_000)) / 1e6
    }
}

/// The concerts in town in the searched month, which are the same for every count, and then the others: a tenth in town
/// in an earlier or later month, the rest elsewhere.
fn concerts(count: u32) -> impl Iterator<Item = Concert> {
    let mut random = Random(1);
    (0..count).map(move |number| {
        let in_town = number < IN_TOWN;
        let at_another_time = !in_town && number % 10 == 0;
        let place = if in_town || at_another_time {
            beyond(town(), 400.0 * random.part().powi(2), TAU * random.part())
        } else {
            let latitude = (2.0 * random.part() - 1.0).asin().to_degrees();
            let elsewhere = place(latitude, 360.0 * random.part() - 180.0);
            let antipode = place(-town().latitude, town().longitude - 180.0);
            if elsewhere.distance_km(town()) < 2_000.0 { antipode } else { elsewhere }
        };
        let second = u64::from(random.below(u32::try_from(MONTH).unwrap()));
        let seconds = if at_another_time {
            (1 + u64::from(number / 10 % 2) * 2) * MONTH + second
        } else {
            2 * MONTH + second
        };
        let band = if in_town || at_another_time { number / 10 % 10 } else { 10 + random.below(OTHER_BANDS) };
        concert(number, place, seconds, &[band])
    })
}

/// Loads concerts; generates the next items while the engine imports the previous ones.
fn load_all(world: &World, concerts: impl Iterator<Item = Concert> + Send) {
    let (made, to_import) = sync_channel(4);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut concerts = concerts.peekable();
            while concerts.peek().is_some() {
                made.send(concerts.by_ref().take(1_000).flat_map(|concert| of_concert(&concert)).collect())
                    .unwrap();
            }
        });
        for items in to_import {
            world.import(items);
        }
    });
}

/// The result of a search and its cost.
struct Cost {
    name: &'static str,
    found: Vec<FoundConcert>,
    units: f64,
    queries: usize,
    /// The median of five runs.
    time: Duration,
}

async fn cost(world: &World, name: &'static str, wanted: &ConcertQuery) -> Cost {
    let mut costs = Vec::new();
    for _ in 0..5 {
        world.measured();
        let begin = Instant::now();
        let page = world.table.concerts(wanted, size(20), None).await.unwrap();
        let time = begin.elapsed();
        let queries = world.wire.take_sent().len();
        costs.push(Cost { name, found: page.items, units: world.measured().read, queries, time });
    }
    costs.sort_by_key(|cost| cost.time);
    costs.swap_remove(2)
}

/// Searches in town in the searched month, which have the same result for every count.
fn in_town() -> [(&'static str, ConcertQuery); 8] {
    let month = |wanted| ConcertQuery { from: later(2 * MONTH), to: later(3 * MONTH - 1), ..wanted };
    let within = |radius_km, sort| ConcertQuery { sort, ..month(near(town(), radius_km)) };
    let of_bands = |bands: &[u32]| month(of_bands(bands));
    [
        ("within 500 km, soonest", within(500.0, Sort::Soonest)),
        ("within 500 km, latest", within(500.0, Sort::Latest)),
        ("within 150 km, soonest", within(150.0, Sort::Soonest)),
        ("within 20 km, soonest", within(20.0, Sort::Soonest)),
        ("within 20 km, nearest", within(20.0, Sort::Nearest)),
        ("within 1 km, soonest", within(1.0, Sort::Soonest)),
        ("of a band", of_bands(&[3])),
        (
            "of three bands within 150 km",
            ConcertQuery { area: near(town(), 150.0).area, ..of_bands(&[1, 2, 3]) },
        ),
    ]
}

/// Searches with twenty times as many matches in the larger world, of which a page has the first 20.
fn at_any_time() -> [(&'static str, ConcertQuery); 3] {
    [
        ("at any time within 500 km", near(town(), 500.0)),
        ("at any time within 20 km", near(town(), 20.0)),
        ("at any time, of three bands", of_bands(&[1, 2, 3])),
    ]
}

#[tokio::test]
async fn a_search_costs_the_same_among_twenty_times_as_many() {
    let mut all = Vec::new();
    for count in [FEW, MANY] {
        let world = World::new();
        load_all(&world, concerts(count));
        let mut costs = Vec::new();
        for (name, wanted) in in_town().into_iter().chain(at_any_time()) {
            costs.push(cost(&world, name, &wanted).await);
        }
        all.push(costs);
    }
    for (few, many) in all[0].iter().zip(&all[1]) {
        println!(
            "{}: {} found; {} → {} units, {} → {} queries, {:.1?} → {:.1?}",
            few.name,
            few.found.len(),
            few.units,
            many.units,
            few.queries,
            many.queries,
            few.time,
            many.time
        );
        if few.name.starts_with("at any time") {
            assert_eq!(few.found.len(), many.found.len(), "{}", few.name);
            assert!(many.units <= few.units * 2.0, "{}", few.name);
        } else {
            assert_eq!(few.found, many.found, "{}", few.name);
            assert_eq!((few.units.to_string(), few.queries), (many.units.to_string(), many.queries));
        }
    }
}
