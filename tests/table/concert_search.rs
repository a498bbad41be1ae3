//! Searches, compared with a filter over all concerts.

use crate::{
    concert_support::{
        band_id, concert, concert_id, end_of_time, home, ids, load, near, of_bands, place, read_to_the_end,
        size,
    },
    geo::{RADII, WORST, beyond, check, distance_km, places},
};
use domain::{
    Error,
    concert::Concert,
    geo::{Area, Coordinates},
    id::BandId,
    page::{Page, PageSize},
};
use proptest::{collection::vec, prelude::*, sample::select, strategy::ValueTree};
use std::{collections::HashMap, f64::consts::PI};
use table::{ConcertQuery, FoundConcert, Sort, keys};
use tests::{World, samples::later};

/// The numbers of concerts and of searches.
const CONCERTS: u32 = 400;
const SEARCHES: u32 = 500;

/// The number of bands.
const BANDS: u32 = 30;

/// The maximum number of Queries for a page.
const MOST_QUERIES: usize = 120;

/// All concerts start within this number of seconds, some of them at the same time.
const SECONDS: u64 = 200;

/// The tolerance at the edge of an area, in kilometres: within it, two distance formulas may disagree.
const TOLERANCE_KM: f64 = 1e-6;

/// The parameters of a search: around a point at a distance from a concert, or around any point.
#[derive(Debug, Clone)]
struct Search {
    around: (u32, f64, f64),
    anywhere: Option<Coordinates>,
    radius_km: f64,
    with_area: bool,
    bands: Vec<u32>,
    from: u64,
    to: Option<u64>,
    sort: Sort,
    size: i64,
}

fn searches() -> impl Strategy<Value = Search> {
    let around = (0..CONCERTS, prop_oneof![0.0..1.2, 0.98..1.02], 0.0..2.0 * PI);
    let bands = prop_oneof![3 => Just(Vec::new()), 2 => vec(0..BANDS, 1..4)];
    let time = (prop_oneof![Just(0), 0..SECONDS], proptest::option::of(0..SECONDS));
    let sort = select(vec![Sort::Soonest, Sort::Latest, Sort::Nearest]);
    let size = prop_oneof![2 => 1..=100_i64, 1 => select(vec![1, 2, 20, 100])];
    let anywhere = proptest::option::weighted(0.2, places());
    let with_area = proptest::bool::weighted(0.85);
    let area = (around, anywhere, select(RADII.to_vec()), with_area);
    (area, bands, time, sort, size).prop_map(|(area, bands, (from, to), sort, size)| {
        let (around, anywhere, radius_km, with_area) = area;
        // A search needs an area or bands, and sorting by distance needs an area.
        let with_area = with_area || bands.is_empty();
        let sort = if with_area || sort != Sort::Nearest { sort } else { Sort::Soonest };
        Search { around, anywhere, radius_km, with_area, bands, from, to, sort, size }
    })
}

impl Search {
    fn wanted(&self, concerts: &[Concert]) -> ConcertQuery {
        let (number, part, bearing) = self.around;
        let from = concerts[number as usize].venue.place;
        let center = self.anywhere.unwrap_or_else(|| beyond(from, self.radius_km * part, bearing));
        let area = Area { center, radius_km: self.radius_km };
        let mut bands: Vec<BandId> = self.bands.iter().copied().map(band_id).collect();
        bands.sort_unstable();
        bands.dedup();
        ConcertQuery {
            bands,
            area: self.with_area.then_some(area),
            from: later(self.from),
            to: self.to.map_or_else(end_of_time, later),
            sort: self.sort,
        }
    }
}

/// Pairs of nearby concerts, in places from [`places`].
fn concerts() -> impl Strategy<Value = Vec<Concert>> {
    let pair = (places(), select(RADII.to_vec()), 0.0..1.0, 0.0..2.0 * PI);
    let one = (0..SECONDS, vec(0..BANDS, 1..4));
    let pairs = vec((pair, one.clone(), one), CONCERTS as usize / 2);
    pairs.prop_map(|pairs| {
        let both = |((first, radius_km, part, bearing), one, other)| {
            [(first, one), (beyond(first, radius_km * part, bearing), other)]
        };
        let all = pairs.into_iter().flat_map(both);
        let concert = |(number, (place, (seconds, mut bands))): (u32, (Coordinates, (u64, Vec<u32>)))| {
            bands.sort_unstable();
            bands.dedup();
            concert(number, place, seconds, &bands)
        };
        (0..).zip(all).map(concert).collect()
    })
}

/// Whether a concert matches; `None` if it is within the tolerance of the area's edge.
fn matches(concert: &Concert, wanted: &ConcertQuery) -> Option<bool> {
    let plays = |band: &BandId| concert.bands.iter().any(|performer| performer.band_id == *band);
    let others = (wanted.bands.is_empty() || wanted.bands.iter().any(plays))
        && (wanted.from..=wanted.to).contains(&concert.starts_at);
    let Some(area) = &wanted.area else { return Some(others) };
    let over = distance_km(area.center, concert.venue.place) - area.radius_km;
    if others && over.abs() < TOLERANCE_KM { None } else { Some(others && over < 0.0) }
}

/// Checks that these are exactly the matching concerts, each once, in the right order.
fn assert_right(found: &[FoundConcert], wanted: &ConcertQuery, all: &[Concert]) -> Result<(), TestCaseError> {
    let by_id: HashMap<_, _> = found.iter().map(|found| (found.concert.concert_id, found)).collect();
    prop_assert_eq!(by_id.len(), found.len(), "a concert came twice");
    for concert in all {
        let found = by_id.get(&concert.concert_id);
        if let Some(expected) = matches(concert, wanted) {
            prop_assert_eq!(found.is_some(), expected, "{:?}", concert);
        }
        let Some(found) = found else { continue };
        prop_assert_eq!(&found.concert, concert);
        prop_assert_eq!(found.distance_km.is_some(), wanted.area.is_some());
        if let (Some(ours), Some(area)) = (found.distance_km, &wanted.area) {
            let other = distance_km(area.center, concert.venue.place);
            prop_assert!((ours - other).abs() < TOLERANCE_KM, "{} {}", ours, other);
        }
    }
    let time = |found: &FoundConcert| (found.concert.starts_at, found.concert.concert_id);
    let distance = |found: &FoundConcert| found.distance_km.unwrap_or_default();
    let in_order = |pair: &[FoundConcert]| match wanted.sort {
        Sort::Soonest => time(&pair[0]) < time(&pair[1]),
        Sort::Latest => time(&pair[0]) > time(&pair[1]),
        Sort::Nearest => {
            let [nearer, farther] = [distance(&pair[0]), distance(&pair[1])];
            nearer < farther + TOLERANCE_KM
                && (nearer < farther
                    || pair[0].concert.venue.place != pair[1].concert.venue.place
                    || pair[0].concert.concert_id < pair[1].concert.concert_id)
        }
    };
    prop_assert!(found.windows(2).all(in_order), "not in order: {:?}", found);
    Ok(())
}

#[test]
fn searches_find_what_looking_at_every_concert_finds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let all = concerts().new_tree(&mut runner).unwrap().current();
    let world = World::new();
    load(&world, &all);
    let hits = std::cell::Cell::new(0);
    check(SEARCHES, searches(), |search| {
        let wanted = search.wanted(&all);
        let found = runtime.block_on(read_some_then_the_rest(&world, &wanted, size(search.size)));
        assert_right(&found, &wanted, &all)?;
        hits.set(hits.get() + found.len());
        Ok(())
    });
    assert!(
        hits.get() > tests::histories(SEARCHES) as usize / 2,
        "the searches find something: {}",
        hits.get()
    );
}

/// Reads all pages of a search: two of the given size, the rest of the maximum size.
async fn read_some_then_the_rest(world: &World, wanted: &ConcertQuery, first: PageSize) -> Vec<FoundConcert> {
    let (mut all, mut after) = (Vec::new(), None);
    for page in 0.. {
        let size = if page < 2 { first } else { size(100) };
        let page = world.table.concerts(wanted, size, after).await.unwrap();
        assert!(page.items.len() == size.get() || page.next.is_none(), "a short page");
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    all
}

/// Concerts of band 1; concert n starts n seconds later than `now()`, n × 10 metres away from `home()`.
fn row(numbers: impl IntoIterator<Item = u32>) -> Vec<Concert> {
    let in_row = |number: u32| {
        let away = beyond(home(), f64::from(number) / 100.0, 1.0);
        concert(number, away, u64::from(number), &[1])
    };
    numbers.into_iter().map(in_row).collect()
}

fn sorted_by(sort: Sort) -> [ConcertQuery; 2] {
    let by_place = ConcertQuery { sort, ..near(home(), 150.0) };
    [ConcertQuery { bands: vec![band_id(1)], ..by_place.clone() }, by_place]
}

#[tokio::test]
async fn pages_of_every_size_neither_skip_nor_repeat() {
    let world = World::new();
    let concerts = row((1..=45).map(|number| number * 10));
    load(&world, &concerts);
    for sort in [Sort::Soonest, Sort::Latest, Sort::Nearest] {
        for wanted in sorted_by(sort) {
            let (_, expected) = read_to_the_end(&world, &wanted, size(100)).await;
            assert_eq!(expected.len(), 45);
            for of in [1, 2, 7, 9, 15, 44, 45, 46, 100] {
                let (sizes, found) = read_to_the_end(&world, &wanted, size(of)).await;
                assert_eq!(found, expected, "{of}");
                assert!(!sizes.contains(&0), "{sizes:?}");
            }
        }
    }
}

/// A concert added before the position is not returned, one added after it is, and all others are returned once. The
/// concert at the position itself is deleted.
#[tokio::test]
async fn a_search_goes_on_where_it_was_although_concerts_come_and_go() {
    for sort in [Sort::Soonest, Sort::Latest, Sort::Nearest] {
        for wanted in sorted_by(sort) {
            for of in [1, 4, 9] {
                let world = World::new();
                let mut expected: Vec<u32> = (1..=30).map(|number| number * 10).collect();
                load(&world, &row(expected.clone()));
                let (mut read, mut after) = (Vec::new(), None);
                loop {
                    let page = world.table.concerts(&wanted, size(of), after).await.unwrap();
                    read.extend(ids(&page.items));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                    let last = &page.items.last().unwrap().concert;
                    let position = last.starts_at.unix_seconds() - later(0).unix_seconds();
                    let position = u32::try_from(position).unwrap();
                    if position.is_multiple_of(10) {
                        let (lower, higher) = (position - 3, position + 3);
                        load(&world, &row([lower, higher]));
                        expected.push(if sort == Sort::Latest { lower } else { higher });
                        world.table.delete_concert(last).await.unwrap();
                    }
                }
                expected.sort_unstable();
                if sort == Sort::Latest {
                    expected.reverse();
                }
                let expected: Vec<_> = row(expected).iter().map(|concert| concert.concert_id).collect();
                assert_eq!(read, expected, "{wanted:?} {of}");
            }
        }
    }
}

#[tokio::test]
async fn a_concert_of_two_bands_is_found_once() {
    let world = World::new();
    let concerts: Vec<_> = (0..10).map(|number| concert(number, home(), 5, &[1, 2, 3])).collect();
    load(&world, &concerts);
    for sort in [Sort::Soonest, Sort::Latest, Sort::Nearest] {
        for of in [1, 3, 100] {
            let wanted = ConcertQuery { sort, bands: [1, 2, 3].map(band_id).into(), ..near(home(), 1.0) };
            let (_, found) = read_to_the_end(&world, &wanted, size(of)).await;
            let mut expected = concerts.clone();
            if sort == Sort::Latest {
                expected.reverse();
            }
            let found: Vec<_> = found.into_iter().map(|found| found.concert).collect();
            assert_eq!(found, expected, "{of}");
        }
    }
}

#[tokio::test]
async fn both_ends_of_the_time_are_included() {
    let world = World::new();
    load(&world, &row([10, 20, 30, 40]));
    for wanted in sorted_by(Sort::Soonest) {
        let wanted = ConcertQuery { from: later(20), to: later(30), ..wanted };
        let (_, found) = read_to_the_end(&world, &wanted, size(20)).await;
        assert_eq!(ids(&found), [20, 30].map(concert_id));
        let nothing = ConcertQuery { from: later(31), to: later(29), ..wanted };
        let page = world.table.concerts(&nothing, size(20), None).await;
        assert_eq!(page, Ok(Page { items: Vec::new(), next: None }));
        assert!(world.wire.take_sent().len() < 20);
    }
}

/// A position without a concert, or outside the searched time, is valid: the search continues after it.
#[tokio::test]
async fn a_position_leads_nowhere_but_into_what_is_wanted() {
    let world = World::new();
    load(&world, &row([10, 20, 30, 40]));
    for (sort, position, expected) in [
        (Sort::Soonest, 5, vec![20, 30]),
        (Sort::Soonest, 25, vec![30]),
        (Sort::Soonest, 35, vec![]),
        (Sort::Latest, 45, vec![30, 20]),
        (Sort::Latest, 25, vec![20]),
        (Sort::Latest, 15, vec![]),
    ] {
        let [wanted, _] = sorted_by(sort);
        let wanted = ConcertQuery { from: later(20), to: later(30), ..wanted };
        let after = Some(keys::by_start(later(position), concert_id(9)));
        let page = world.table.concerts(&wanted, size(20), after).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(concert_id).collect();
        assert_eq!((ids(&page.items), page.next), (expected, None));
    }
}

/// A page that would need too many Queries is short, and the next page continues where it stopped reading.
#[tokio::test]
async fn a_page_of_rare_concerts_is_short_and_goes_on_to_the_end() {
    let world = World::new();
    let aside = beyond(home(), 3.0, 1.0);
    let last = concert(3000, home(), 3000, &[1]);
    load(&world, &(0..3000).map(|n| concert(n, aside, n.into(), &[1])).collect::<Vec<_>>());
    load(&world, [&last]);
    for wanted in [near(home(), 0.1), ConcertQuery { bands: vec![band_id(1)], ..near(home(), 0.1) }] {
        world.wire.take_sent();
        let (sizes, found) = read_to_the_end(&world, &wanted, size(20)).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].concert, last);
        assert!(sizes.len() > 1, "{sizes:?}");
        assert!(world.wire.take_sent().len() <= sizes.len() * MOST_QUERIES);
    }
}

/// No function sends such a search. If one did, it would get an error instead of reading all concerts.
#[tokio::test]
async fn a_search_for_nothing_in_particular_is_our_mistake() {
    let world = World::new();
    for wanted in [of_bands(&[]), ConcertQuery { sort: Sort::Nearest, ..of_bands(&[1]) }] {
        let page = world.table.concerts(&wanted, size(20), None).await;
        assert!(matches!(page, Err(Error::Internal { .. })), "{page:?}");
    }
}

/// Sorting by distance needs all matches to be read first, so their number is limited.
#[tokio::test]
async fn too_many_to_sort_by_distance_is_a_fault_that_says_so() {
    let world = World::new();
    let wanted = ConcertQuery { sort: Sort::Nearest, ..near(home(), 20.0) };
    load(&world, &(0..2000).map(|n| concert(n, home(), n.into(), &[1])).collect::<Vec<_>>());
    let page = world.table.concerts(&wanted, size(100), None).await.unwrap();
    assert_eq!(page.items.len(), 100);
    load(&world, &(2000..2300).map(|n| concert(n, home(), n.into(), &[1])).collect::<Vec<_>>());
    let page = world.table.concerts(&wanted, size(20), None).await;
    let Err(Error::Invalid(faults)) = page else { panic!("{page:?}") };
    assert_eq!(faults[0].location, domain::FaultLocation::Parameter("sort".into()));
    let sooner = ConcertQuery { to: later(1000), ..wanted };
    assert!(world.table.concerts(&sooner, size(20), None).await.is_ok());
}

#[tokio::test]
async fn a_search_costs_what_it_answers() {
    let world = World::new();
    let (by_band, by_place) = (of_bands(&[1]), near(home(), 20.0));
    let read = world.table.concerts(&by_place, size(20), None);
    world.measure("concerts", "nothing by place", read).await.unwrap();
    load(&world, &(0..30).map(|n| concert(n, home(), n.into(), &[1, 2])).collect::<Vec<_>>());
    let read = world.table.concerts(&by_band, size(20), None);
    let page = world.measure("concerts", "20 of 30 of a band", read).await.unwrap();
    let read = world.table.concerts(&by_band, size(20), page.next);
    world.measure("concerts", "the rest of a band", read).await.unwrap();
    let read = world.table.concerts(&by_place, size(20), None);
    let page = world.measure("concerts", "20 of 30 by place", read).await.unwrap();
    let read = world.table.concerts(&by_place, size(20), page.next);
    world.measure("concerts", "the rest by place", read).await.unwrap();
    let nearest = ConcertQuery { sort: Sort::Nearest, ..by_place };
    let read = world.table.concerts(&nearest, size(20), None);
    world.measure("concerts", "the nearest 20 of 30", read).await.unwrap();
    let widest = near(place(WORST.0, WORST.1), WORST.2);
    let read = world.table.concerts(&widest, size(20), None);
    world.measure("concerts", "nothing in the most cells", read).await.unwrap();
}
