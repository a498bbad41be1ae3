//! Reviews and ratings, as items.

use crate::item::{Item, from_item, number};
use domain::{Error, rating::Rating, review::Review};

/// The attributes that count the reviews with one star, two, … five.
const STARS: [&str; 5] = ["stars1", "stars2", "stars3", "stars4", "stars5"];

pub(crate) fn from_rating_item(item: &Item) -> Rating {
    Rating { histogram: STARS.map(|name| number(item, name).unwrap_or_default()) }
}

pub(crate) fn from_review_item(item: Item) -> Result<Review, Error> {
    from_item(item)
}
