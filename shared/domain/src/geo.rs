//! Coordinates, distances, and the cells of the geographic index.
//!
//! Distances are great-circle distances on a sphere with radius 6,371.007 km (the authalic radius of WGS 84), as in H3.
//! Cells are H3 cells: their size is about the same everywhere, including the poles and the antimeridian
//! (<https://h3geo.org/docs/core-library/restable>).

use crate::input::{Members, number};
use h3o::{CellIndex, LatLng, Resolution};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The largest search radius, in kilometres.
pub const LARGEST_RADIUS_KM: f64 = 500.0;

/// A point on Earth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Degrees north, −90 to 90.
    pub latitude: f64,
    /// Degrees east, −180 to 180.
    pub longitude: f64,
}

/// The resolution of cells. Each point is in one cell of each level. The radius of a search determines its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// About 86,800 km² per cell: for a radius over 150 km.
    Coarse,
    /// About 12,400 km² per cell: for a radius over 20 km.
    Middle,
    /// About 253 km² per cell: for a radius of at most 20 km.
    Fine,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 3] = [Self::Coarse, Self::Middle, Self::Fine];

    fn resolution(self) -> Resolution {
        match self {
            Self::Coarse => Resolution::Two,
            Self::Middle => Resolution::Three,
            Self::Fine => Resolution::Five,
        }
    }

    fn for_radius(radius_km: f64) -> Self {
        if radius_km > 150.0 {
            Self::Coarse
        } else if radius_km > 20.0 {
            Self::Middle
        } else {
            Self::Fine
        }
    }
}

impl Coordinates {
    /// Reads `latitude` and `longitude` among other members.
    pub fn read(members: &mut Members) -> Option<Self> {
        let latitude = members.required("latitude", |value| number(&value, -90.0, 90.0));
        let longitude = members.required("longitude", |value| number(&value, -180.0, 180.0));
        Some(Self { latitude: rounded(latitude?), longitude: rounded(longitude?) })
    }

    /// The distance to another point, in kilometres.
    pub fn distance_km(self, other: Self) -> f64 {
        self.point().distance_km(other.point())
    }

    /// The H3 index of the cell of this level that contains the point, in hexadecimal.
    pub fn cell(self, level: Level) -> String {
        self.point().to_cell(level.resolution()).to_string()
    }

    fn point(self) -> LatLng {
        // Cannot fail: `read` accepts finite numbers only.
        LatLng::new(self.latitude, self.longitude).unwrap_or_default()
    }
}

/// Rounds to nine decimals (0.1 mm), because DynamoDB cannot store a magnitude below 1e-130.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e9).round() / 1e9
}

/// A circle on Earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The center.
    pub center: Coordinates,
    /// The radius in kilometres: more than 0, at most [`LARGEST_RADIUS_KM`].
    pub radius_km: f64,
}

/// Upper bound of the rounding error of a distance, in kilometres.
const TOLERANCE_KM: f64 = 0.001;

impl Area {
    /// The distance of a point from the center, in kilometres; `None` outside the area.
    pub fn distance_km(&self, point: Coordinates) -> Option<f64> {
        let distance = self.center.distance_km(point);
        (distance <= self.radius_km).then_some(distance)
    }

    /// The cells of one level that cover the area.
    ///
    /// A flood fill from the center's cell: neighbours are added while their circumscribed circle intersects the area.
    /// The cells that intersect the area are connected, so the search finds all of them.
    pub fn cells(&self) -> Vec<String> {
        let center = self.center.point();
        let first = center.to_cell(Level::for_radius(self.radius_km).resolution());
        let mut visited = HashSet::from([first]);
        let mut frontier = vec![first];
        let mut cover = Vec::new();
        while let Some(cell) = frontier.pop() {
            if !self.may_intersect(cell) {
                continue;
            }
            cover.push(cell.to_string());
            frontier.extend(
                cell.grid_disk::<Vec<_>>(1).into_iter().filter(|neighbour| visited.insert(*neighbour)),
            );
        }
        cover
    }

    fn may_intersect(&self, cell: CellIndex) -> bool {
        let cell_center = LatLng::from(cell);
        let reach = cell.boundary().iter().map(|vertex| cell_center.distance_km(*vertex)).fold(0.0, f64::max);
        self.center.point().distance_km(cell_center) <= self.radius_km + reach + TOLERANCE_KM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(latitude: f64, longitude: f64) -> Coordinates {
        Coordinates { latitude, longitude }
    }

    #[test]
    fn distances_and_cells_work_at_the_antimeridian_and_the_poles() {
        assert!(point(0.0, 179.99).distance_km(point(0.0, -179.99)) < 3.0);
        assert!(point(89.99, 0.0).distance_km(point(89.99, 180.0)) < 3.0);
        for (center, near) in [
            (point(-16.5, 179.99), point(-16.5, -179.99)),
            (point(90.0, 0.0), point(89.999, 123.0)),
            (point(-89.9999, -70.0), point(-89.9999, 110.0)),
        ] {
            for radius_km in [5.0, 100.0, 500.0] {
                let area = Area { center, radius_km };
                let level = Level::for_radius(radius_km);
                assert!(area.cells().contains(&near.cell(level)), "{center:?} {radius_km}");
            }
        }
    }

    #[test]
    fn coordinates_are_kept_to_nine_decimals() {
        let json = serde_json::json!({"latitude": 7.4e-293, "longitude": 103.123_456_789_4});
        let mut members = Members::of(json).unwrap_or_else(|_| panic!());
        assert_eq!(Coordinates::read(&mut members), Some(point(0.0, 103.123_456_789)));
    }

    #[test]
    fn every_cover_has_a_bounded_number_of_cells() {
        for latitude in (-90..=90).step_by(9) {
            for longitude in (-180..180).step_by(15) {
                for radius_km in [0.1, 20.0, 20.1, 150.0, 150.1, 500.0] {
                    let cells =
                        Area { center: point(latitude.into(), longitude.into()), radius_km }.cells().len();
                    assert!((1..=MOST_CELLS).contains(&cells), "{latitude} {longitude} {radius_km}: {cells}");
                }
            }
        }
    }

    /// An upper bound above the largest cover in the test.
    const MOST_CELLS: usize = 40;

    #[test]
    fn a_quarter_of_the_equator_is_10_008_km() {
        let quarter = point(0.0, 0.0).distance_km(point(0.0, 90.0));
        assert!((10_007.0..10_008.0).contains(&quarter), "{quarter}");
    }

    #[test]
    fn an_area_includes_its_border() {
        let (center, border) = (point(1.0, 103.0), point(1.0, 104.0));
        let radius_km = center.distance_km(border);
        assert_eq!(Area { center, radius_km }.distance_km(border), Some(radius_km));
        assert_eq!(Area { center, radius_km: radius_km - 0.001 }.distance_km(border), None);
    }

    #[test]
    fn cells_are_larger_above_20_and_above_150_km() {
        let level = |radius_km| format!("{:?}", Level::for_radius(radius_km));
        assert_eq!([20.0, 20.1, 150.0, 150.1].map(level), ["Fine", "Middle", "Middle", "Coarse"]);
    }
}
