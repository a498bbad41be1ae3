//! Reviews, one at a time.

use crate::{
    Table,
    item::{Item, b, bytes, from_item, n, number, to_item},
    keys::{self, GSI1_PK, GSI1_SK, PK, SK},
    product::{NO_PRODUCT, VERSION, WRITER, from_product_item},
    request::Written,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{ProductId, UserId},
    idempotency::{KEY_SECONDS, Once},
    product::ReviewPosition,
    review::Review,
};

/// The text, when it is kept as it is.
const BODY: &str = "body";
/// The text, when it is kept compressed.
const BODY_ZSTD: &str = "bodyZstd";
/// A longer text, in bytes, is kept compressed.
const PLAIN_BYTES: usize = 1024;
/// The longest text, in bytes: 10,000 characters of four bytes. Guards the decompression.
const LONGEST_BODY: usize = 40_000;
/// zstd's own default: more costs time and saves next to nothing on texts this short.
const ZSTD_LEVEL: i32 = 3;

/// The idempotency key of the request that wrote the review, and the hash of its body. They stand in the review
/// itself: there is at most one for each user and product, so that no record of its own is needed.
const ONCE_KEY: &str = "onceKey";
const ONCE_FINGERPRINT: &str = "onceFingerprint";

/// The error of all who look for a review that is not there.
pub(crate) const NO_REVIEW: Error = Error::NotFound { what: "review" };

/// What became of a review that was to be created.
#[derive(Debug, Clone, PartialEq)]
pub enum Reviewed {
    /// It was created now.
    Created,
    /// The same request created it before; this is its present state.
    Before(Box<Review>),
}

fn to_review_item(review: &Review) -> Result<Item, Error> {
    let Review { product_id, author_id, created_at, .. } = *review;
    let mut item = to_item(review)?;
    item.extend(keys::review(product_id, author_id).primary());
    item.extend(keys::review_on_page(product_id, &ReviewPosition { created_at, author_id }).gsi1());
    let body = review.draft.body.as_bytes();
    if body.len() > PLAIN_BYTES {
        let compressed = zstd::bulk::compress(body, ZSTD_LEVEL)
            .map_err(|error| Error::internal(format!("a review does not compress: {error}")))?;
        item.remove(BODY);
        item.insert(BODY_ZSTD.into(), b(&compressed));
    }
    Ok(item)
}

/// The review of an item, with its text as it was written.
pub(crate) fn from_review_item(mut item: Item) -> Result<Review, Error> {
    if let Some(AttributeValue::B(compressed)) = item.remove(BODY_ZSTD) {
        let broken = |error: String| Error::internal(format!("a review does not decompress: {error}"));
        let body = zstd::bulk::decompress(compressed.as_ref(), LONGEST_BODY)
            .map_err(|error| broken(error.to_string()))?;
        let body = String::from_utf8(body).map_err(|error| broken(error.to_string()))?;
        item.insert(BODY.into(), AttributeValue::S(body));
    }
    from_item(item)
}

impl Table {
    /// Fails unless there is such a product: half a read unit, or one and a half when it has to be asked twice.
    pub async fn require_product(&self, id: ProductId) -> Result<(), Error> {
        for consistent in [false, true] {
            // A product that was published a moment ago may not be everywhere yet.
            let item = self.get_item(keys::product(id), consistent).await?;
            if item.map(from_product_item).transpose()?.flatten().is_some() {
                return Ok(());
            }
        }
        Err(NO_PRODUCT)
    }

    /// Keeps a new review, unless its author has one of this product already. `writer` is random: a write whose
    /// answer was lost and that is sent again recognises itself by it.
    pub async fn create_review(
        &self,
        review: &Review,
        once: Option<&Once>,
        writer: [u8; 16],
    ) -> Result<Reviewed, Error> {
        let mut item = to_review_item(review)?;
        item.insert(WRITER.into(), b(&writer));
        if let Some(once) = once {
            item.insert(ONCE_KEY.into(), AttributeValue::S(once.key.as_str().to_owned()));
            item.insert(ONCE_FINGERPRINT.into(), b(&once.fingerprint));
        }
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK);
        let Written::Refused(stored) = self.put(put).await? else { return Ok(Reviewed::Created) };
        match &stored {
            Some(stored) if bytes(stored, WRITER) == Some(&writer) => Ok(Reviewed::Created),
            Some(stored) => same_request(stored, once, review.created_at),
            None => Err(Error::internal("a review in the way that cannot be seen")),
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

    /// Writes the next version of a review over the one before it, and over no other; `writer` as for a new one. The
    /// idempotency key of the request that created the review stays in it.
    pub async fn replace_review(&self, review: &Review, writer: [u8; 16]) -> Result<(), Error> {
        let mut item = to_review_item(review)?;
        item.insert(WRITER.into(), b(&writer));
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
            Some(stored) if bytes(stored, WRITER) == Some(&writer) => Ok(()),
            Some(stored) => Err(stale(stored)),
            None => Err(NO_REVIEW),
        }
    }

    /// Deletes this version of a review, and no other. One that is gone has been deleted, by this request or by
    /// another at the same time.
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

/// A review that is in the way was written by the same request if it has its key.
fn same_request(stored: &Item, once: Option<&Once>, now: Timestamp) -> Result<Reviewed, Error> {
    const TWICE: Error = Error::Conflict { detail: "You have reviewed this product already." };
    let Some(once) = once else { return Err(TWICE) };
    let review = from_review_item(stored.clone())?;
    let same_key = crate::item::text(stored, ONCE_KEY) == Some(once.key.as_str());
    if !same_key || review.created_at.plus_seconds(KEY_SECONDS) < now {
        Err(TWICE)
    } else if bytes(stored, ONCE_FINGERPRINT) == Some(&once.fingerprint) {
        Ok(Reviewed::Before(Box::new(review)))
    } else {
        Err(Error::KeyReused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Input, id::Id, review::ReviewDraft, user::Caller};
    use serde_json::json;

    fn review(body: &str) -> Review {
        let now = Timestamp::from_unix_milliseconds(0);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let draft = ReviewDraft::from_json(json!({"rating": 5, "title": "Sweet", "body": body})).unwrap();
        Review::write(ProductId::new(now, [3; 10]), &caller, draft, now)
    }

    #[test]
    fn long_texts_are_kept_compressed_and_read_as_they_were_written() {
        let long = "Sweet as ever. ".repeat(660).trim_end().to_owned();
        let widest = "🥥".repeat(10_000);
        for (body, compressed) in [
            ("", false),
            (&*"x".repeat(1024), false),
            (&*"x".repeat(1025), true),
            (&*long, true),
            (&*widest, true),
        ] {
            let item = to_review_item(&review(body)).unwrap();
            assert_eq!((item.contains_key(BODY), item.contains_key(BODY_ZSTD)), (!compressed, compressed));
            assert_eq!(from_review_item(item).unwrap(), review(body));
        }
    }
}
