//! What a product's buyers think of it, taken together.

use crate::review::Stars;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// How many reviews give one star, two, … five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rating {
    /// `histogram[0]` counts the reviews with one star.
    pub histogram: [u64; 5],
}

impl Rating {
    /// How many reviews there are.
    pub fn count(&self) -> u64 {
        self.histogram.iter().sum()
    }

    /// The sum of all stars.
    pub fn sum(&self) -> u64 {
        (1..).zip(self.histogram).map(|(stars, count)| stars * count).sum()
    }

    /// Stars per review; nothing while there is no review.
    pub fn average(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 reviews")]
        (self.count() > 0).then(|| self.sum() as f64 / self.count() as f64)
    }
}

/// `{"average": 4.5, "count": 2, "histogram": {"1": 0, …, "5": 1}}`.
impl Serialize for Rating {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Rating", 3)?;
        members.serialize_field("average", &self.average())?;
        members.serialize_field("count", &self.count())?;
        members.serialize_field("histogram", &Histogram(self.histogram))?;
        members.end()
    }
}

struct Histogram([u64; 5]);

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(["1", "2", "3", "4", "5"].into_iter().zip(self.0))
    }
}

/// What changes of reviews do to a rating: how many reviews more or fewer have one star, two, … five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RatingChange(pub [i64; 5]);

impl RatingChange {
    /// What becomes of a rating when one review's stars go from `old` to `new`; `None` where there is no review.
    pub fn of(old: Option<Stars>, new: Option<Stars>) -> Self {
        let mut change = Self::default();
        for (stars, step) in [(old, -1), (new, 1)] {
            if let Some(stars) = stars {
                change.0[usize::from(stars.get()) - 1] += step;
            }
        }
        change
    }

    /// Both, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut sum = self;
        for (total, step) in sum.0.iter_mut().zip(other.0) {
            *total += step;
        }
        sum
    }

    /// Whether nothing changes.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_average_follows_from_the_histogram() {
        let rating = Rating { histogram: [0, 0, 0, 1, 1] };
        assert_eq!(
            serde_json::to_value(rating).unwrap(),
            json!({"average": 4.5, "count": 2, "histogram": {"1": 0, "2": 0, "3": 0, "4": 1, "5": 1}})
        );
    }

    #[test]
    fn a_change_of_stars_takes_one_and_gives_one() {
        let stars = |stars| Stars::new(stars);
        assert_eq!(RatingChange::of(None, stars(5)).0, [0, 0, 0, 0, 1]);
        assert_eq!(RatingChange::of(stars(5), stars(1)).0, [1, 0, 0, 0, -1]);
        assert_eq!(RatingChange::of(stars(1), None).0, [-1, 0, 0, 0, 0]);
        assert!(RatingChange::of(stars(3), stars(3)).is_nothing());
        let there_and_back = RatingChange::of(None, stars(2)).and(RatingChange::of(stars(2), None));
        assert!(there_and_back.is_nothing());
    }

    #[test]
    fn no_review_has_no_average() {
        assert_eq!(serde_json::to_value(Rating::default()).unwrap()["average"], json!(null));
    }
}
