//! The rating of a product: histogram, count and average of its reviews.

use crate::review::Stars;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// The number of reviews for each number of stars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rating {
    /// `histogram[0]` counts the reviews with one star.
    pub histogram: [u64; 5],
}

impl Rating {
    /// The number of reviews.
    pub fn count(&self) -> u64 {
        self.histogram.iter().sum()
    }

    /// The sum of all stars.
    pub fn sum(&self) -> u64 {
        (1..).zip(self.histogram).map(|(stars, count)| stars * count).sum()
    }

    /// The mean number of stars; `None` without reviews.
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

/// A change to a rating: the difference in the number of reviews with 1, 2, … 5 stars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RatingChange(pub [i64; 5]);

impl RatingChange {
    /// The change when one review goes from `old` to `new` stars. `None` means that there is no review before or after.
    pub fn of(old: Option<Stars>, new: Option<Stars>) -> Self {
        let mut change = Self::default();
        for (stars, step) in [(old, -1), (new, 1)] {
            if let Some(stars) = stars {
                change.0[usize::from(stars.get()) - 1] += step;
            }
        }
        change
    }

    /// The sum of both changes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut sum = self;
        for (total, step) in sum.0.iter_mut().zip(other.0) {
            *total += step;
        }
        sum
    }

    /// Whether all differences are 0.
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
    fn a_rating_change_decrements_old_stars_and_increments_new_stars() {
        let stars = |stars| Stars::new(stars);
        assert_eq!(RatingChange::of(None, stars(5)).0, [0, 0, 0, 0, 1]);
        assert_eq!(RatingChange::of(stars(5), stars(1)).0, [1, 0, 0, 0, -1]);
        assert_eq!(RatingChange::of(stars(1), None).0, [-1, 0, 0, 0, 0]);
        assert!(RatingChange::of(stars(3), stars(3)).is_nothing());
        let inverse_sum = RatingChange::of(None, stars(2)).and(RatingChange::of(stars(2), None));
        assert!(inverse_sum.is_nothing());
    }

    #[test]
    fn average_is_null_without_reviews() {
        assert_eq!(serde_json::to_value(Rating::default()).unwrap()["average"], json!(null));
    }

    #[test]
    fn changes_add_up() {
        let stars = |stars| Stars::new(stars);
        let sum = RatingChange::of(None, stars(5)).and(RatingChange::of(None, stars(4)));
        assert_eq!(sum.0, [0, 0, 0, 1, 1]);
        assert_eq!(Rating::default().average(), None);
    }
}
