//! The stored form of a review: a long body is compressed.

use crate::{
    engine::item::{Item, b, from_item, to_item},
    keys,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Error, product::ReviewPosition, review::Review};

/// The body, uncompressed.
pub(crate) const BODY: &str = "body";
/// The body, zstd-compressed.
pub(crate) const BODY_ZSTD: &str = "bodyZstd";
/// Whether the author had a confirmed order of the product. See [`Review::verified_purchase`].
pub(crate) const VERIFIED_PURCHASE: &str = "verifiedPurchase";
/// The maximum length of an uncompressed body, in bytes.
const PLAIN_BYTES: usize = 1024;
/// The maximum length of a body, in bytes: 10,000 characters of four bytes. Bounds decompression.
const LONGEST_BODY: usize = 40_000;
/// zstd's default level: higher levels cost time and save almost nothing on texts this short.
const ZSTD_LEVEL: i32 = 3;

pub(crate) fn to_review_item(review: &Review) -> Result<Item, Error> {
    let Review { product_id, author_id, created_at, .. } = *review;
    let mut item = to_item(review)?;
    item.extend(keys::review(product_id, author_id).primary());
    item.extend(keys::review_on_page(product_id, &ReviewPosition { created_at, author_id }).gsi1());
    let body = review.draft.body.as_str().as_bytes();
    if body.len() > PLAIN_BYTES {
        let compressed = zstd::bulk::compress(body, ZSTD_LEVEL)
            .map_err(|error| Error::internal(format!("a review cannot be compressed: {error}")))?;
        item.remove(BODY);
        item.insert(BODY_ZSTD.into(), b(&compressed));
    }
    Ok(item)
}

/// The review of an item, with its body decompressed.
pub(crate) fn from_review_item(mut item: Item) -> Result<Review, Error> {
    if let Some(AttributeValue::B(compressed)) = item.remove(BODY_ZSTD) {
        let broken = |error: String| Error::internal(format!("a review cannot be decompressed: {error}"));
        let body = zstd::bulk::decompress(compressed.as_ref(), LONGEST_BODY)
            .map_err(|error| broken(error.to_string()))?;
        let body = String::from_utf8(body).map_err(|error| broken(error.to_string()))?;
        item.insert(BODY.into(), AttributeValue::S(body));
    }
    from_item(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Input, Timestamp,
        id::{Id, ProductId},
        review::ReviewDraft,
        user::Caller,
    };
    use serde_json::json;

    fn review(body: &str) -> Review {
        let now = Timestamp::from_unix_milliseconds(0);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let draft = ReviewDraft::from_json(json!({"rating": 5, "title": "Sweet", "body": body})).unwrap();
        Review::write(ProductId::new(now, [3; 10]), &caller, draft, false, now)
    }

    #[test]
    fn long_bodies_are_stored_compressed_and_read_back_unchanged() {
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
