//! Places on Earth, and the cells that an index finds them by.
//!
//! Distances are great-circle distances on a sphere of 6,371.007 km (the mean radius of WGS 84 by area), as H3 has
//! them. Cells are H3's: they are about as large everywhere, at the poles and at the antimeridian too
//! (<https://h3geo.org/docs/core-library/restable>).

use crate::input::{Members, number};
use h3o::{CellIndex, LatLng, Resolution};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The largest radius that can be searched, in kilometres.
pub const LARGEST_RADIUS_KM: f64 = 500.0;

/// A point on Earth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Degrees north, −90 to 90.
    pub latitude: f64,
    /// Degrees east, −180 to 180.
    pub longitude: f64,
}

/// How fine cells are. Each place is in one cell of each level; a search uses the level that suits its radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Some 86,800 km² a cell: for a radius over 150 km.
    Coarse,
    /// Some 12,400 km² a cell: for a radius over 20 km.
    Middle,
    /// Some 253 km² a cell.
    Fine,
}

impl Level {
    /// All of them.
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

impl Place {
    /// Reads `latitude` and `longitude` among other members.
    pub fn read(members: &mut Members) -> Option<Self> {
        let latitude = members.required("latitude", |value| number(&value, -90.0, 90.0));
        let longitude = members.required("longitude", |value| number(&value, -180.0, 180.0));
        Some(Self { latitude: rounded(latitude?), longitude: rounded(longitude?) })
    }

    /// How far it is to another place, in kilometres.
    pub fn distance_km(self, other: Self) -> f64 {
        self.point().distance_km(other.point())
    }

    /// The cell of this level that the place is in.
    pub fn cell(self, level: Level) -> String {
        self.point().to_cell(level.resolution()).to_string()
    }

    fn point(self) -> LatLng {
        // A place holds finite numbers only: it is read through rules that let nothing else in.
        LatLng::new(self.latitude, self.longitude).unwrap_or_default()
    }
}

/// To nine decimals, a tenth of a millimetre: finer is no place, and DynamoDB keeps no number below 1e-130.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e9).round() / 1e9
}

/// All places within a radius of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The middle.
    pub center: Place,
    /// In kilometres: more than 0, at most [`LARGEST_RADIUS_KM`].
    pub radius_km: f64,
}

/// What floating point may put a point on the wrong side of a border by, in kilometres, and more.
const TOLERANCE_KM: f64 = 0.001;

impl Area {
    /// How far a place is from the middle, in kilometres, if it lies within the area.
    pub fn distance_km(&self, place: Place) -> Option<f64> {
        let distance = self.center.distance_km(place);
        (distance <= self.radius_km).then_some(distance)
    }

    /// The cells that together cover the area: no place within it is in any other cell of their level.
    ///
    /// Starting from the cell of the middle, neighbours are added as long as the circle around a cell meets the area.
    /// The cells that meet the area hang together, so all of them are found.
    pub fn cells(&self) -> Vec<String> {
        let center = self.center.point();
        let first = center.to_cell(Level::for_radius(self.radius_km).resolution());
        let mut seen = HashSet::from([first]);
        let mut open = vec![first];
        let mut cover = Vec::new();
        while let Some(cell) = open.pop() {
            if !self.may_meet(cell) {
                continue;
            }
            cover.push(cell.to_string());
            open.extend(cell.grid_disk::<Vec<_>>(1).into_iter().filter(|neighbour| seen.insert(*neighbour)));
        }
        cover
    }

    fn may_meet(&self, cell: CellIndex) -> bool {
        let middle = LatLng::from(cell);
        let reach = cell.boundary().iter().map(|vertex| middle.distance_km(*vertex)).fold(0.0, f64::max);
        self.center.point().distance_km(middle) <= self.radius_km + reach + TOLERANCE_KM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(latitude: f64, longitude: f64) -> Place {
        Place { latitude, longitude }
    }

    #[test]
    fn the_antimeridian_and_the_poles_are_nowhere_special() {
        assert!(place(0.0, 179.99).distance_km(place(0.0, -179.99)) < 3.0);
        assert!(place(89.99, 0.0).distance_km(place(89.99, 180.0)) < 3.0);
        for (center, near) in [
            (place(-16.5, 179.99), place(-16.5, -179.99)),
            (place(90.0, 0.0), place(89.999, 123.0)),
            (place(-89.9999, -70.0), place(-89.9999, 110.0)),
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
        assert_eq!(Place::read(&mut members), Some(place(0.0, 103.123_456_789)));
    }

    #[test]
    fn a_cover_has_few_cells_everywhere() {
        for latitude in (-90..=90).step_by(9) {
            for longitude in (-180..180).step_by(15) {
                for radius_km in [0.1, 20.0, 20.1, 150.0, 150.1, 500.0] {
                    let cells =
                        Area { center: place(latitude.into(), longitude.into()), radius_km }.cells().len();
                    assert!((1..=MOST_CELLS).contains(&cells), "{latitude} {longitude} {radius_km}: {cells}");
                }
            }
        }
    }

    /// What the loop above finds at most, with some to spare.
    const MOST_CELLS: usize = 40;
}
