//! Ratings: counters that follow the table's stream, exactly.

use crate::{
    Sequence, Table,
    item::{Item, number, s, text},
    keys::{self, PK, SK},
    request::Written,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error,
    id::ProductId,
    rating::{Rating, RatingChange},
};

/// The attributes that count the reviews with one star, two, … five.
const STARS: [&str; 5] = ["stars1", "stars2", "stars3", "stars4", "stars5"];
/// The sequence number, padded, of the last change that the counters hold.
const HELD: &str = "held";

pub(crate) fn from_rating_item(item: &Item) -> Rating {
    Rating { histogram: STARS.map(|name| number(item, name).unwrap_or_default()) }
}

/// What became of changes that were to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// They are counted, now or since they first came.
    Counted,
    /// There is no such product any more.
    Gone,
}

/// A rating as it is stored, beside the one that its reviews make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recount {
    /// What is stored.
    pub stored: Rating,
    /// What the reviews say.
    pub counted: Rating,
    /// The last change that the stored rating holds.
    held: Option<String>,
}

impl Table {
    /// Counts changes of one product's reviews, given in the stream's order, each once however often it comes.
    ///
    /// One UpdateItem adds them all, on the condition that the rating holds nothing of them yet. If it holds some, it
    /// comes back with the failed condition, what it holds is dropped, and the rest is added. A change that was
    /// carried out and whose answer was lost is found to be held. Nothing is read.
    pub async fn count(
        &self,
        product: ProductId,
        changes: &[(Sequence, RatingChange)],
    ) -> Result<Applied, Error> {
        let mut left = changes;
        while let (Some((first, _)), Some((last, _))) = (left.first(), left.last()) {
            let sum = left.iter().fold(RatingChange::default(), |sum, (_, change)| sum.and(*change));
            match self.add(product, sum, first, last).await? {
                Added::Done => return Ok(Applied::Counted),
                Added::Gone => return Ok(Applied::Gone),
                Added::Holds(held) => {
                    let fresh = left.partition_point(|(sequence, _)| sequence.as_str() <= held.as_str());
                    if fresh == 0 {
                        return Err(Error::unavailable("a rating that went back"));
                    }
                    left = &left[fresh..];
                }
            }
        }
        Ok(Applied::Counted)
    }

    async fn add(
        &self,
        product: ProductId,
        sum: RatingChange,
        first: &Sequence,
        last: &Sequence,
    ) -> Result<Added, Error> {
        let mut update = self
            .client()
            .update_item()
            .set_key(Some(keys::rating(product).primary()))
            .condition_expression("attribute_exists(#pk) AND (attribute_not_exists(#held) OR #held < :first)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#held", HELD)
            .expression_attribute_values(":first", s(first.as_str()))
            .expression_attribute_values(":last", s(last.as_str()));
        let mut additions = Vec::new();
        for (name, step) in STARS.into_iter().zip(sum.0).filter(|(_, step)| *step != 0) {
            additions.push(format!("{name} :{name}"));
            update =
                update.expression_attribute_values(format!(":{name}"), AttributeValue::N(step.to_string()));
        }
        // Changes that cancel each other out are held all the same.
        let add = if additions.is_empty() { String::new() } else { format!("ADD {}", additions.join(", ")) };
        let update = update.update_expression(format!("SET #held = :last {add}").trim_end());
        let Written::Refused(stored) = self.update(update).await? else { return Ok(Added::Done) };
        let Some(stored) = &stored else { return Ok(Added::Gone) };
        let held =
            text(stored, HELD).ok_or_else(|| Error::internal("a rating that refuses without a reason"))?;
        Ok(Added::Holds(held.to_owned()))
    }

    /// Counts a product's reviews anew, strongly consistent, beside the rating that is stored. While reviews are being
    /// written, the two may differ by what the stream has not told yet.
    pub async fn recount(&self, product: ProductId) -> Result<Recount, Error> {
        let stored = self.get_item(keys::rating(product), true).await?.ok_or(crate::product::NO_PRODUCT)?;
        let mut counted = Rating::default();
        let mut start = None;
        loop {
            let query = self
                .client()
                .query()
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                .projection_expression("#rating")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_names("#rating", "rating")
                .expression_attribute_values(":pk", s(keys::product_partition(product)))
                .expression_attribute_values(":prefix", s(keys::REVIEW_PREFIX))
                .consistent_read(true)
                .set_exclusive_start_key(start);
            let sent = self.query(query).await?;
            for stars in sent.items().iter().filter_map(|item| number(item, "rating")) {
                let slot = usize::try_from(stars)
                    .ok()
                    .and_then(|stars| counted.histogram.get_mut(stars.wrapping_sub(1)));
                *slot.ok_or_else(|| Error::internal(format!("a review with {stars} stars")))? += 1;
            }
            start = sent.last_evaluated_key;
            if start.is_none() {
                let held = text(&stored, HELD).map(str::to_owned);
                return Ok(Recount { stored: from_rating_item(&stored), counted, held });
            }
        }
    }

    /// Stores what a recount found, unless the rating has changed since. Whether it did.
    pub async fn repair_rating(&self, product: ProductId, recount: &Recount) -> Result<bool, Error> {
        let mut update = self
            .client()
            .update_item()
            .set_key(Some(keys::rating(product).primary()))
            .condition_expression(match &recount.held {
                Some(_) => "attribute_exists(#pk) AND #held = :held",
                None => "attribute_exists(#pk) AND attribute_not_exists(#held)",
            })
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#held", HELD);
        if let Some(held) = &recount.held {
            update = update.expression_attribute_values(":held", s(held));
        }
        let mut assignments = Vec::new();
        for (name, count) in STARS.into_iter().zip(recount.counted.histogram) {
            assignments.push(format!("{name} = :{name}"));
            update = update.expression_attribute_values(format!(":{name}"), crate::item::n(count));
        }
        let update = update.update_expression(format!("SET {}", assignments.join(", ")));
        Ok(matches!(self.update(update).await?, Written::Done(_)))
    }
}

enum Added {
    Done,
    Gone,
    /// The rating holds changes up to this one already.
    Holds(String),
}
