//! Places, distances and cells, compared with independent formulas and published distances.

use crate::concert_support::{concert, ids, load, near, place, size};
use domain::geo::{Area, Coordinates, Level};
use proptest::{prelude::*, test_runner::TestRunner};
use std::f64::consts::PI;
use tests::World;

/// The radius of the sphere on which distances are computed.
const EARTH_KM: f64 = 6_371.007_180_918_475;

/// The radii at which searches change the cell level, and the smallest and largest radius.
pub const RADII: [f64; 7] = [0.1, 1.0, 20.0, 20.1, 150.0, 150.1, 500.0];

/// The maximum number of cells of a search, found at [`WORST`] by trying a grid of 0.25° with all [`RADII`].
const MOST_CELLS: usize = 26;

/// The latitude, longitude and radius in kilometres of the search with the most cells.
pub const WORST: (f64, f64, f64) = (-66.75, -171.25, 500.0);

/// The distance, from the angle between two vectors from the Earth's centre. This is not the formula under test, and it
/// is accurate for small and large angles.
pub fn distance_km(a: Coordinates, b: Coordinates) -> f64 {
    let vector = |place: Coordinates| {
        let (latitude, longitude) = (place.latitude.to_radians(), place.longitude.to_radians());
        [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
    };
    let ([a1, a2, a3], [b1, b2, b3]) = (vector(a), vector(b));
    let cross = [a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1];
    let sine = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
    EARTH_KM * sine.atan2(a1 * b1 + a2 * b2 + a3 * b3)
}

/// The place at this distance and bearing (radians east of north) from another place.
pub fn beyond(from: Coordinates, distance_km: f64, bearing: f64) -> Coordinates {
    let (latitude, longitude) = (from.latitude.to_radians(), from.longitude.to_radians());
    let angle = distance_km / EARTH_KM;
    let sine = latitude.sin() * angle.cos() + latitude.cos() * angle.sin() * bearing.cos();
    let east = bearing.sin() * angle.sin() * latitude.cos();
    let longitude = longitude + east.atan2(angle.cos() - latitude.sin() * sine);
    let longitude = (longitude.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
    place(sine.clamp(-1.0, 1.0).asin().to_degrees(), longitude)
}

/// A place just inside the border of the cell of `from`, on the way to `to`.
pub fn at_border(from: Coordinates, to: Coordinates, level: Level) -> Coordinates {
    let (mut inside, mut outside) = (0.0, 1.0);
    let on_the_way = |part: f64| {
        let between = |a: f64, b: f64| a + (b - a) * part;
        place(between(from.latitude, to.latitude), between(from.longitude, to.longitude))
    };
    for _ in 0..50 {
        let middle = f64::midpoint(inside, outside);
        if on_the_way(middle).cell(level) == from.cell(level) { inside = middle } else { outside = middle }
    }
    on_the_way(inside)
}

/// Places everywhere, with more of them at the edge cases of the geometry: near the poles, on both sides of the
/// antimeridian and at the borders of cells.
pub fn places() -> impl Strategy<Value = Coordinates> {
    let uniform = (-1.0..=1.0, -180.0..=180.0)
        .prop_map(|(sine, longitude): (f64, f64)| place(sine.asin().to_degrees(), longitude));
    let poles =
        (any::<bool>(), -5.0..2.0, -180.0..=180.0).prop_map(|(north, power, longitude): (_, f64, _)| {
            let latitude = 90.0 - 10_f64.powf(power).min(8.0);
            place(if north { latitude } else { -latitude }, longitude)
        });
    let antimeridian =
        (-85.0..85.0, any::<bool>(), -6.0..0.5).prop_map(|(latitude, east, power): (_, _, f64)| {
            let longitude = 180.0 - 10_f64.powf(power);
            place(latitude, if east { longitude } else { -longitude })
        });
    let exactly = prop_oneof![
        Just(place(90.0, 0.0)),
        Just(place(-90.0, 180.0)),
        Just(place(0.0, 180.0)),
        Just(place(0.0, -180.0)),
        Just(place(0.0, 0.0)),
        Just(place(64.7, 10.5)), // Near the centre of a pentagonal cell.
    ];
    let borders = (uniform.clone(), 0.0..2.0 * PI, 0..3_usize)
        .prop_map(|(from, bearing, level)| at_border(from, beyond(from, 600.0, bearing), Level::ALL[level]));
    prop_oneof![3 => uniform, 2 => poles, 2 => antimeridian, 1 => exactly, 2 => borders]
}

fn radii() -> impl Strategy<Value = f64> {
    prop_oneof![proptest::sample::select(RADII.to_vec()), 0.001..500.0]
}

/// Checks a property with this number of cases, scaled by `SOUK_HISTORIES`.
pub fn check<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = tests::histories(cases);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&strategy, property).unwrap();
}

#[test]
fn distances_agree_with_another_formula() {
    let near = (places(), 0.0..600.0, 0.0..2.0 * PI);
    check(20_000, near, |(from, distance, bearing)| {
        let to = beyond(from, distance, bearing);
        let (ours, other) = (from.distance_km(to), distance_km(from, to));
        prop_assert!((ours - other).abs() < 1e-6, "{from:?} {to:?}: {ours}, not {other}");
        prop_assert!((other - distance).abs() < 1e-6, "{from:?} {to:?}: {other}, not {distance}");
        Ok(())
    });
}

/// Every place within the radius is in a cell that the search reads; most tested places are near the edge.
#[test]
fn a_cover_has_the_cell_of_every_place_within() {
    let rim = (prop_oneof![3 => 0.99..1.0, 1 => 0.0..1.0], 0.0..2.0 * PI);
    let cases = (places(), radii(), proptest::collection::vec(rim, 24));
    check(4_000, cases, |(center, radius_km, points)| {
        let cells = Area { center, radius_km }.cells();
        prop_assert!((1..=MOST_CELLS).contains(&cells.len()), "{} cells", cells.len());
        for (part, bearing) in points {
            let within = beyond(center, radius_km * part, bearing);
            let covered = Level::ALL.iter().any(|level| cells.contains(&within.cell(*level)));
            prop_assert!(covered, "{within:?}, {} km away", distance_km(center, within));
        }
        Ok(())
    });
}

#[test]
fn no_search_reads_many_cells() {
    let (latitude, longitude, radius_km) = WORST;
    let worst = Area { center: place(latitude, longitude), radius_km }.cells().len();
    assert_eq!(worst, MOST_CELLS);
    for latitude in (-90..=90).step_by(6) {
        for longitude in (-180..180).step_by(10) {
            for radius_km in RADII {
                let center = place(latitude.into(), longitude.into());
                let cells = Area { center, radius_km }.cells().len();
                assert!(cells <= MOST_CELLS, "{center:?} {radius_km}: {cells}");
            }
        }
    }
}

/// A name, and degrees north and east.
type City = (&'static str, (f64, f64));

/// Distances between cities: the coordinates of their airports, and the distance on the ellipsoid WGS 84 in kilometres.
/// The first eight distances are published by <https://www.airmilescalculator.com> (Vincenty's formula; for example
/// `/distance/lhr-to-cdg/`). The others were computed with GeographicLib, which agrees with the first eight to within
/// 0.05 km.
#[rustfmt::skip]
const CITIES: [(City, City, f64); 12] = [
    (("London", (51.47056, -0.46167)), ("Paris", (49.01278, 2.54972)), 347.653),
    (("Guayaquil", (-2.15722, -79.88333)), ("Loja", (-3.99583, -79.37194)), 211.100),
    (("Longyearbyen", (78.24583, 15.46556)), ("Tromsø", (69.68306, 18.91889)), 961.167),
    (("Longyearbyen", (78.24583, 15.46556)), ("Hammerfest", (70.67944, 23.66861)), 877.382),
    (("Tromsø", (69.68306, 18.91889)), ("Haugesund", (59.34528, 5.20833)), 1320.431),
    (("Puerto Montt", (-41.43889, -73.09389)), ("Santiago", (-33.39278, -70.78556)), 915.957),
    (("Nadi", (-17.75528, 177.44306)), ("Nuku'alofa", (-21.24111, -175.14944)), 867.830),
    (("Nadi", (-17.75528, 177.44306)), ("Funafuti", (-8.525, 179.19583)), 1038.688),
    (("Kuala Lumpur", (2.74556, 101.71)), ("Singapore", (1.35, 103.99389)), 297.265),
    (("Auckland", (-37.00806, 174.79167)), ("Suva", (-18.04306, 178.55889)), 2133.812),
    (("Suva", (-18.04306, 178.55889)), ("Taveuni", (-16.69056, -179.87694)), 223.691),
    (("Nadi", (-17.75528, 177.44306)), ("Taveuni", (-16.69056, -179.87694)), 308.431),
];

/// The maximum relative error of the sphere, which occurs along a meridian at the equator.
const SPHERE: f64 = 0.0056;

#[test]
fn cities_lie_as_far_apart_as_published() {
    for ((from, a), (to, b), published) in CITIES {
        let distance = place(a.0, a.1).distance_km(place(b.0, b.1));
        assert!((distance / published - 1.0).abs() < SPHERE, "{from} – {to}: {distance}, not {published}");
    }
}

#[tokio::test]
async fn a_search_around_one_city_finds_the_other_when_the_radius_reaches_it() {
    let world = World::new();
    let near_enough = CITIES.into_iter().filter(|(.., published)| *published < 490.0);
    let pairs: Vec<_> = near_enough.flat_map(|((_, a), (_, b), far)| [(a, b, far), (b, a, far)]).collect();
    assert_eq!(pairs.len(), 10);
    for (number, (from, to, published)) in (1..).zip(pairs) {
        let there = concert(number, place(to.0, to.1), 3600, &[number]);
        load(&world, [&there]);
        for (part, reached) in [(1.0 - SPHERE, false), (1.0 + SPHERE, true)] {
            let wanted = near(place(from.0, from.1), published * part);
            let found = world.table.concerts(&wanted, size(100), None).await.unwrap();
            assert_eq!(ids(&found.items).contains(&there.concert_id), reached, "{from:?} {to:?}");
        }
    }
}
