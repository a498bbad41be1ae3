//! The reviews of an author: the products that were reviewed in each window of the limit of reviews, in one item with the
//! number that the limit counts.
//!
//! The item is updated before a review is written, and stays when the review is deleted, so that no review is missing.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
    review_item::from_review_item,
};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::{
    Error, Timestamp,
    id::{ProductId, UserId},
    limit::{Limit, LimitStatus},
    page::{Page, PageSize},
    review::{Review, ReviewEntry},
};
use std::collections::HashMap;

/// The number of reviews that were written or changed in the window.
const USED: &str = "used";
/// The ids of their products, in sixteen bytes each: a set of text would not fit into one write unit.
const PRODUCTS: &str = "products";

/// The products that were reviewed in one window.
pub(crate) struct ReviewWindow {
    pub(crate) start: u64,
    pub(crate) products: Vec<ProductId>,
}

impl Table {
    /// Counts a new or changed review against the limit of its author, and lists its product. A review that is over the
    /// limit is neither counted nor listed. A repetition after a lost answer can only make the limit stricter.
    pub async fn admit_review(
        &self,
        author: UserId,
        product: ProductId,
        limit: Limit,
        now: Timestamp,
    ) -> Result<LimitStatus, Error> {
        let products = AttributeValue::Bs(vec![product.as_bytes().to_vec().into()]);
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::authors_reviews(author, limit.window_start(now)).primary()))
            .update_expression("ADD #used :one, #products :products")
            .condition_expression("attribute_not_exists(#used) OR #used < :most")
            .expression_attribute_names("#used", USED)
            .expression_attribute_names("#products", PRODUCTS)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":products", products)
            .expression_attribute_values(":most", n(limit.quota))
            .return_values(ReturnValue::AllNew);
        let (counted, more) = match self.update(update).await? {
            Written::Done(Some(updated)) => (updated, 0),
            // What it would be with this review.
            Written::Refused(Some(stored)) => (stored, 1),
            _ => return Err(Error::internal("the counter of reviews was not returned")),
        };
        Ok(limit.status(number(&counted, USED).unwrap_or_default() + more, now))
    }

    /// A user's reviews by the windows in which they were written. A page may be short and still have a next one, because
    /// entries without a review count. A review that was deleted and written again may be on two pages.
    pub async fn reviews_by(
        &self,
        author: UserId,
        size: PageSize,
        after: Option<ReviewEntry>,
    ) -> Result<Page<Review, ReviewEntry>, Error> {
        // The window of the position is read again, because it may have more products.
        let (windows, has_more_windows) =
            self.review_windows(author, after.map(|entry| entry.window_start), size.get() + 1).await?;
        let mut entries: Vec<ReviewEntry> = windows.iter().flat_map(ReviewWindow::entries).collect();
        entries.sort_unstable();
        entries.retain(|entry| after.is_none_or(|after| *entry > after));
        let has_more = has_more_windows || entries.len() > size.get();
        entries.truncate(size.get());
        let mut found = self.reviews_at(author, &entries).await?;
        let next = entries.last().copied().filter(|_| has_more);
        let items = entries.iter().filter_map(|entry| {
            let review = found.get(&entry.product_id).filter(|review| entry.is_of(review))?.product_id;
            found.remove(&review)
        });
        Ok(Page { items: items.collect(), next })
    }

    async fn reviews_at(
        &self,
        author: UserId,
        entries: &[ReviewEntry],
    ) -> Result<HashMap<ProductId, Review>, Error> {
        let mut products: Vec<ProductId> = entries.iter().map(|entry| entry.product_id).collect();
        products.sort_unstable();
        products.dedup();
        let keys = products.iter().map(|product| keys::review(*product, author)).collect();
        let found = self.batch_get(keys, false).await?.into_iter().map(from_review_item);
        found.map(|review| review.map(|review| (review.product_id, review))).collect()
    }

    /// The first windows in which a user wrote reviews, and whether there are more. Strongly consistent.
    pub(crate) async fn review_windows(
        &self,
        author: UserId,
        from: Option<u64>,
        most: usize,
    ) -> Result<(Vec<ReviewWindow>, bool), Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk >= :from")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::authors_reviews_partition(author)))
            .expression_attribute_values(":from", s(from.unwrap_or_default().to_string()))
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .consistent_read(true);
        let sent = self.query(query).await?;
        let has_more = sent.last_evaluated_key.is_some();
        Ok((sent.items.unwrap_or_default().iter().filter_map(window_of).collect(), has_more))
    }
}

impl ReviewWindow {
    fn entries(&self) -> impl Iterator<Item = ReviewEntry> {
        self.products.iter().map(|product| ReviewEntry { window_start: self.start, product_id: *product })
    }
}

fn window_of(item: &Item) -> Option<ReviewWindow> {
    let products = item.get(PRODUCTS)?.as_bs().ok()?.iter();
    let products = products.filter_map(|id| Some(ProductId::from_bytes(id.as_ref().try_into().ok()?)));
    Some(ReviewWindow { start: text(item, SK)?.parse().ok()?, products: products.collect() })
}
