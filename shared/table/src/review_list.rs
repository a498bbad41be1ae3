//! Lists of a product's reviews, newest first.

use crate::{
    engine::{
        item::{Item, n, s, text},
        table::Table,
    },
    keys::{self, GSI1, GSI1_PK, GSI1_SK},
    review_item::{VERIFIED_PURCHASE, from_review_item},
};
use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use domain::{
    Error,
    id::ProductId,
    page::{Page, PageSize},
    product::ReviewPosition,
    review::{Review, ReviewFilter},
};

/// A page of reviews; the position is that of the last review that was read.
pub type ReviewList = Page<Review, ReviewPosition>;

/// The maximum number of reviews that one Query reads when the list is filtered.
const FILTERED_QUERY_LIMIT: usize = 100;

/// The maximum number of Queries for one page: a filtered page with few matches is short rather than slow.
const MOST_QUERIES: usize = 5;

impl Table {
    /// The reviews of a product that a filter selects. A filtered page may be short or empty and still have a next page.
    pub async fn reviews_of(
        &self,
        product: ProductId,
        filter: ReviewFilter,
        size: PageSize,
        after: Option<ReviewPosition>,
    ) -> Result<ReviewList, Error> {
        let mut found: Vec<Review> = Vec::new();
        let mut after = after;
        for _ in 0..MOST_QUERIES {
            // One item more than the page shows whether there is a next page.
            let limit = if filter == ReviewFilter::default() { size.get() + 1 } else { FILTERED_QUERY_LIMIT };
            let limit = i32::try_from(limit).unwrap_or(i32::MAX);
            let (items, last) = self.older_reviews(product, filter, limit, after.as_ref()).await?;
            let room = size.get() - found.len();
            let more = items.len() > room || last.is_some();
            for item in items.into_iter().take(room) {
                found.push(from_review_item(item)?);
            }
            if found.len() == size.get() {
                return Ok(Page { next: found.last().filter(|_| more).map(position), items: found });
            }
            after = last;
            if after.is_none() {
                break;
            }
        }
        Ok(Page { items: found, next: after })
    }

    /// Reviews older than a position, and the position where the Query ended if there may be more.
    async fn older_reviews(
        &self,
        product: ProductId,
        filter: ReviewFilter,
        limit: i32,
        after: Option<&ReviewPosition>,
    ) -> Result<(Vec<Item>, Option<ReviewPosition>), Error> {
        let query = self
            .client()
            .query()
            .index_name(GSI1)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", GSI1_PK)
            .expression_attribute_names("#sk", GSI1_SK)
            .expression_attribute_values(":pk", s(keys::product_partition(product)))
            .expression_attribute_values(":prefix", s(keys::REVIEW_PREFIX))
            .scan_index_forward(false)
            .limit(limit);
        let query = filtered(query, filter);
        let from = after.map(|position| {
            let mut key = keys::review(product, position.author_id).primary();
            key.extend(keys::review_on_page(product, position).gsi1());
            key
        });
        let sent = self.query(query.set_exclusive_start_key(from)).await?;
        let last = sent.last_evaluated_key().and_then(|key| keys::parse_review_on_page(text(key, GSI1_SK)?));
        Ok((sent.items.unwrap_or_default(), last))
    }
}

/// Adds the filter's conditions on what the Query reads.
fn filtered(query: QueryFluentBuilder, filter: ReviewFilter) -> QueryFluentBuilder {
    let (mut query, mut conditions) = (query, Vec::new());
    if let Some(stars) = filter.stars {
        conditions.push("#rating = :stars");
        query = query
            .expression_attribute_names("#rating", "rating")
            .expression_attribute_values(":stars", n(stars.get().into()));
    }
    if filter.verified_purchase {
        conditions.push("#verified = :true");
        query = query
            .expression_attribute_names("#verified", VERIFIED_PURCHASE)
            .expression_attribute_values(":true", AttributeValue::Bool(true));
    }
    if conditions.is_empty() { query } else { query.filter_expression(conditions.join(" AND ")) }
}

fn position(review: &Review) -> ReviewPosition {
    ReviewPosition { created_at: review.created_at, author_id: review.author_id }
}
