//! The JSON document of a product's page: the product, its rating and its newest reviews.

use crate::{
    cursor, etag,
    problem::Problem,
    respond::{self, Items},
    response::{self, Response},
};
use domain::{
    Version,
    id::ProductId,
    product::{ListedProduct, ProductPage},
    review::Review,
};
use http::header;
use serde::Serialize;

/// The number of reviews on a product's page.
pub const REVIEWS_ON_PAGE: u8 = 10;

#[derive(Serialize)]
struct PageBody<'a> {
    #[serde(flatten)]
    listed: &'a ListedProduct,
    reviews: Items<'a, Review>,
}

/// A rendered product page, for the response and for the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductDocument {
    /// The version of the product.
    pub version: Version,
    /// The entity tag.
    pub etag: String,
    /// The body, a JSON text.
    pub body: String,
}

impl ProductDocument {
    /// Renders a page.
    pub fn render(page: &ProductPage) -> Result<Self, Problem> {
        let ProductPage { listed, reviews } = page;
        let id = listed.product.product_id;
        let next = reviews.next.as_ref().map(|next| cursor::encode(&cursor::reviews_of(id), next));
        let page_body =
            PageBody { listed, reviews: Items { items: &reviews.items, next_cursor: next.as_deref() } };
        let body = respond::ok(&page_body)?.body.into_text();
        let version = listed.product.version;
        // Reviews change the page without a new version of the product, so the tag includes a digest of the body.
        let without_reviews = listed.rating.count() == 0 && reviews.items.is_empty();
        let etag = if without_reviews {
            etag::of_version(version)
        } else {
            etag::of_version_with(version, body.as_bytes())
        };
        Ok(Self { version, etag, body })
    }

    /// The text for the cache: entity tag, line feed, body.
    pub fn to_text(&self) -> String {
        format!("{}\n{}", self.etag, self.body)
    }

    /// Parses a text from the cache; `None` if it is not a complete page of this product.
    pub fn from_text(text: &str, id: ProductId) -> Option<Self> {
        let (etag, body) = text.split_once('\n')?;
        let digits = etag.strip_prefix('"')?.strip_suffix('"')?.split('.').next()?;
        let version = digits.parse().ok()?;
        let whole = body.starts_with(&format!("{{\"productId\":\"{id}\"")) && body.ends_with('}');
        whole.then(|| Self { version, etag: etag.to_owned(), body: body.to_owned() })
    }

    /// 200 with the page.
    pub fn into_response(self) -> Response {
        response::text(http::StatusCode::OK, "application/json", self.body).with(header::ETAG, self.etag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Input, Timestamp,
        id::Id,
        page::Page,
        product::{Product, ProductDraft},
        rating::Rating,
        user::Caller,
    };
    use serde_json::json;

    fn page(histogram: [u64; 5]) -> ProductPage {
        let now = Timestamp::from_unix_milliseconds(0);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let draft = json!({"name": "a", "description": "b\nc", "category": "c", "price": {"amount": 1, "currency": "SGD"}, "stock": 1});
        let product =
            Product::publish(Id::new(now, [3; 10]), &caller, ProductDraft::from_json(draft).unwrap(), now);
        let listed = ListedProduct { product, rating: Rating { histogram } };
        ProductPage { listed, reviews: Page { items: Vec::new(), next: None } }
    }

    #[test]
    fn a_cached_page_round_trips_for_its_own_product_only() {
        let id = page([0; 5]).listed.product.product_id;
        let document = ProductDocument::render(&page([0, 0, 1, 0, 0])).unwrap();
        assert_eq!(ProductDocument::from_text(&document.to_text(), id).as_ref(), Some(&document));
        let other = ProductId::new(Timestamp::from_unix_milliseconds(0), [4; 10]);
        assert_eq!(ProductDocument::from_text(&document.to_text(), other), None);
        let cut = &document.to_text()[..60];
        for wrong in ["", "x", "\"1\"\n", "\"x\"\n{}", cut] {
            assert_eq!(ProductDocument::from_text(wrong, id), None, "{wrong}");
        }
    }

    #[test]
    fn the_tag_has_a_digest_only_if_there_are_reviews() {
        assert_eq!(ProductDocument::render(&page([0; 5])).unwrap().etag, "\"1\"");
        let tags = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
            .map(|histogram| ProductDocument::render(&page(histogram)).unwrap().etag);
        assert!(tags[0].starts_with("\"1.") && tags[0] != tags[1], "{tags:?}");
    }
}
