//! Ratings: star counters, updated exactly once for each review change in the table's stream.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
    product_item::NO_PRODUCT,
    stream::Position,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error,
    id::ProductId,
    rating::{Rating, RatingChange},
};

/// The counters of reviews with one to five stars.
const STARS: [&str; 5] = ["stars1", "stars2", "stars3", "stars4", "stars5"];
/// The zero-padded sequence number of the last change that the counters include.
const HELD: &str = "held";
/// The label of the stream that the change came through. Ratings written by earlier releases have none.
const STREAM: &str = "stream";

pub(crate) fn from_rating_item(item: &Item) -> Rating {
    Rating { histogram: STARS.map(|name| number(item, name).unwrap_or_default()) }
}

/// The result of counting changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// They are counted, now or by an earlier delivery.
    Counted,
    /// The product no longer exists.
    Gone,
}

/// The stored rating and the rating counted from the reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recount {
    /// The stored rating.
    pub stored: Rating,
    /// The rating counted from the reviews.
    pub counted: Rating,
    /// The sequence number of the last change that the stored rating includes, and the label of its stream.
    held: Option<String>,
    stream: Option<String>,
}

impl Table {
    /// Counts changes of one product's reviews, given in stream order, each once however often it is delivered.
    ///
    /// One UpdateItem adds them all, on the condition that the rating includes none of them. If it includes some, the
    /// failed condition returns the stored position, changes up to it are dropped, and the rest is added. An update whose
    /// response was lost is recognised in the same way. No separate read is needed. Changes of an older stream than the
    /// stored position's are dropped.
    pub async fn count(
        &self,
        product: ProductId,
        changes: &[(Position, RatingChange)],
    ) -> Result<Applied, Error> {
        let mut left = changes;
        while let (Some((first, _)), Some((last, _))) = (left.first(), left.last()) {
            let sum = left.iter().fold(RatingChange::default(), |sum, (_, change)| sum.and(*change));
            match self.add(product, sum, first, last).await? {
                Added::Done => return Ok(Applied::Counted),
                Added::Gone => return Ok(Applied::Gone),
                Added::Holds(held) => {
                    let fresh = left.partition_point(|(position, _)| *position <= held);
                    if fresh == 0 {
                        return Err(Error::unavailable(
                            "the rating's position decreased between two attempts",
                        ));
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
        first: &Position,
        last: &Position,
    ) -> Result<Added, Error> {
        let mut update = self
            .client()
            .update_item()
            .set_key(Some(keys::rating(product).primary()))
            .condition_expression(
                "attribute_exists(#pk) AND (attribute_not_exists(#held) OR #stream < :stream OR \
                 ((attribute_not_exists(#stream) OR #stream = :stream) AND #held < :first))",
            )
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#held", HELD)
            .expression_attribute_names("#stream", STREAM)
            .expression_attribute_values(":stream", s(last.stream()))
            .expression_attribute_values(":first", s(first.number()))
            .expression_attribute_values(":last", s(last.number()));
        let mut additions = Vec::new();
        for (name, step) in STARS.into_iter().zip(sum.0).filter(|(_, step)| *step != 0) {
            additions.push(format!("{name} :{name}"));
            update =
                update.expression_attribute_values(format!(":{name}"), AttributeValue::N(step.to_string()));
        }
        // The position advances even when the changes cancel each other out.
        let add = if additions.is_empty() { String::new() } else { format!("ADD {}", additions.join(", ")) };
        let update =
            update.update_expression(format!("SET #stream = :stream, #held = :last {add}").trim_end());
        let Written::Refused(stored) = self.update(update).await? else { return Ok(Added::Done) };
        let Some(stored) = &stored else { return Ok(Added::Gone) };
        let held = text(stored, HELD)
            .ok_or_else(|| Error::internal("a rating's condition failed without a sequence number"))?;
        // Without a label, the rating was written by an earlier release, from the same stream.
        Ok(Added::Holds(Position::stored(text(stored, STREAM).unwrap_or(last.stream()), held)))
    }

    /// Counts a product's reviews with strongly consistent reads, and reads the stored rating. While reviews are being
    /// written, the two may differ by the changes that the stream has not delivered yet.
    pub async fn recount(&self, product: ProductId) -> Result<Recount, Error> {
        let stored = self.get_item(keys::rating(product), true).await?.ok_or(NO_PRODUCT)?;
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
                let [held, stream] = [HELD, STREAM].map(|name| text(&stored, name).map(str::to_owned));
                return Ok(Recount { stored: from_rating_item(&stored), counted, held, stream });
            }
        }
    }

    /// Stores the counted rating unless the stored rating has changed since the recount. Returns whether it was stored.
    ///
    /// A rating whose position is in another stream than the table's current one goes on with every change of the current
    /// stream; otherwise its position stays.
    pub async fn repair_rating(
        &self,
        product: ProductId,
        recount: &Recount,
        current_stream: &str,
    ) -> Result<bool, Error> {
        let mut update = self
            .client()
            .update_item()
            .set_key(Some(keys::rating(product).primary()))
            .expression_attribute_names("#pk", PK);
        let mut conditions = vec!["attribute_exists(#pk)".to_owned()];
        for (name, value) in [(HELD, &recount.held), (STREAM, &recount.stream)] {
            update = update.expression_attribute_names(format!("#{name}"), name);
            if let Some(value) = value {
                conditions.push(format!("#{name} = :{name}"));
                update = update.expression_attribute_values(format!(":{name}"), s(value));
            } else {
                conditions.push(format!("attribute_not_exists(#{name})"));
            }
        }
        let start = Position::start_of(current_stream);
        let mut assignments = Vec::new();
        if recount.held.is_some() && recount.stream.as_deref() != Some(current_stream) {
            assignments.push("#stream = :current, #held = :start".to_owned());
            update = update
                .expression_attribute_values(":current", s(start.stream()))
                .expression_attribute_values(":start", s(start.number()));
        }
        for (name, count) in STARS.into_iter().zip(recount.counted.histogram) {
            assignments.push(format!("{name} = :{name}"));
            update = update.expression_attribute_values(format!(":{name}"), n(count));
        }
        let update = update
            .condition_expression(conditions.join(" AND "))
            .update_expression(format!("SET {}", assignments.join(", ")));
        match self.update(update).await? {
            Written::Done(_) => Ok(true),
            // An earlier attempt whose answer was lost has moved the rating to the current stream.
            Written::Refused(Some(stored)) => Ok(from_rating_item(&stored) == recount.counted
                && text(&stored, STREAM) == Some(start.stream())
                && text(&stored, HELD) == Some(start.number())),
            Written::Refused(None) => Ok(false),
        }
    }
}

enum Added {
    Done,
    Gone,
    /// The rating already includes the changes up to this position.
    Holds(Position),
}
