//! Single reviews: creating, reading, replacing, deleting.

use crate::{
    engine::{
        item::{Item, b, bytes, n, number, text},
        request::Written,
        table::Table,
    },
    keys::{self, GSI1_PK, GSI1_SK, PK, SK},
    product_item::{NO_PRODUCT, VERSION, from_product_item},
    review_item::{BODY, BODY_ZSTD, from_review_item, to_review_item},
    writer::Writer,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{ProductId, UserId},
    idempotency::{Idempotency, KEY_SECONDS},
    review::Review,
};

/// The idempotency key of the request that created the review, and the hash of its body. They are attributes of the
/// review: each user has at most one review per product, so no separate idempotency record is needed.
const ONCE_KEY: &str = "onceKey";
const ONCE_FINGERPRINT: &str = "onceFingerprint";

/// The error when a review does not exist.
pub(crate) const NO_REVIEW: Error = Error::NotFound { what: "review" };

/// The result of creating a review.
#[derive(Debug, Clone, PartialEq)]
pub enum Reviewed {
    /// The review was created.
    Created,
    /// An earlier attempt of the same request created it; this is its current state.
    Before(Box<Review>),
}

impl Table {
    /// Fails with `NotFound` unless the product exists. Costs as [`Table::seller_of`].
    pub async fn require_product(&self, id: ProductId) -> Result<(), Error> {
        self.seller_of(id).await.map(drop)
    }

    /// The seller of a product. Half a read unit, or 1.5 with a second, consistent read.
    pub async fn seller_of(&self, id: ProductId) -> Result<UserId, Error> {
        for consistent in [false, true] {
            // An eventually consistent read may miss a product that was just published.
            let item = self.get_item(keys::product(id), consistent).await?;
            if let Some(product) = item.map(from_product_item).transpose()?.flatten() {
                return Ok(product.seller_id);
            }
        }
        Err(NO_PRODUCT)
    }

    /// Stores a new review, unless its author has reviewed the product already. A write that the SDK repeats after a
    /// lost response is recognised by its writer id.
    pub async fn create_review(
        &self,
        review: &Review,
        idempotency: Option<&Idempotency>,
        writer: Writer,
    ) -> Result<Reviewed, Error> {
        let mut item = to_review_item(review)?;
        writer.sign(&mut item);
        if let Some(idempotency) = idempotency {
            item.insert(ONCE_KEY.into(), AttributeValue::S(idempotency.key.as_str().to_owned()));
            item.insert(ONCE_FINGERPRINT.into(), b(&idempotency.fingerprint));
        }
        let Written::Refused(stored) = self.create_item(item).await? else { return Ok(Reviewed::Created) };
        match &stored {
            Some(stored) if writer.wrote(stored) => Ok(Reviewed::Created),
            Some(stored) => same_request(stored, idempotency, review.created_at),
            None => Err(Error::internal("the failed condition returned no review")),
        }
    }

    /// A review, strongly consistent.
    pub async fn review(&self, product: ProductId, author: UserId) -> Result<Review, Error> {
        self.get_item(keys::review(product, author), true)
            .await?
            .map(from_review_item)
            .transpose()?
            .ok_or(NO_REVIEW)
    }

    /// Replaces a review with its next version, if the stored version is the previous one; else `Stale`. `writer` as
    /// for a new one. The idempotency key of the request that created the review is kept.
    pub async fn replace_review(&self, review: &Review, writer: Writer) -> Result<(), Error> {
        let mut item = to_review_item(review)?;
        writer.sign(&mut item);
        item.retain(|name, _| ![PK, SK, GSI1_PK, GSI1_SK].contains(&name.as_str()));
        let absent = if item.contains_key(BODY) { BODY_ZSTD } else { BODY };
        let mut update = self
            .client()
            .update_item()
            .set_key(Some(keys::review(review.product_id, review.author_id).primary()))
            .condition_expression("#version = :before")
            .expression_attribute_names("#absent", absent)
            .expression_attribute_values(":before", n(review.version - 1));
        let mut assignments = Vec::new();
        for (name, value) in item {
            assignments.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_values(format!(":{name}"), value)
                .expression_attribute_names(format!("#{name}"), name);
        }
        let expression = format!("SET {} REMOVE #absent", assignments.join(", "));
        let update = update.update_expression(expression);
        let Written::Refused(stored) = self.update(update).await? else { return Ok(()) };
        match &stored {
            Some(stored) if writer.wrote(stored) => Ok(()),
            Some(stored) => Err(stale(stored)),
            None => Err(NO_REVIEW),
        }
    }

    /// Deletes this version of a review; `Stale` if another version is stored. A missing review is no error: this
    /// request or a concurrent one has deleted it.
    pub async fn delete_review(&self, review: &Review) -> Result<(), Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(keys::review(review.product_id, review.author_id).primary()))
            .condition_expression("attribute_not_exists(#version) OR #version = :version")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":version", n(review.version));
        match self.delete(delete).await? {
            Written::Done(_) => Ok(()),
            Written::Refused(stored) => Err(stored.as_ref().map_or(NO_REVIEW, stale)),
        }
    }
}

fn stale(stored: &Item) -> Error {
    match number(stored, VERSION) {
        Some(current) => Error::Stale { current },
        None => Error::internal("a review without a version"),
    }
}

/// Interprets an existing review: an earlier attempt of this request created it if it has the same idempotency key.
fn same_request(stored: &Item, idempotency: Option<&Idempotency>, now: Timestamp) -> Result<Reviewed, Error> {
    const TWICE: Error = Error::Conflict { detail: "You have reviewed this product already." };
    let Some(idempotency) = idempotency else { return Err(TWICE) };
    let review = from_review_item(stored.clone())?;
    let same_key = text(stored, ONCE_KEY) == Some(idempotency.key.as_str());
    if !same_key || review.created_at.plus_seconds(KEY_SECONDS) < now {
        Err(TWICE)
    } else if bytes(stored, ONCE_FINGERPRINT) == Some(&idempotency.fingerprint) {
        Ok(Reviewed::Before(Box::new(review)))
    } else {
        Err(Error::KeyReused)
    }
}
