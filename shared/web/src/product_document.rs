//! The JSON document of a product's page: the product, its stock, its rating and its newest reviews.

use crate::{
    cursor, etag,
    problem::Problem,
    respond::{self, Items},
    response::{self, Response},
};
use domain::{
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
        // Stock and reviews change the page without a new version of the product, so the tag includes a digest of it.
        let etag = etag::of_version_with(listed.product.version, body.as_bytes());
        Ok(Self { etag, body })
    }

    /// The text for the cache: entity tag, line feed, body.
    pub fn to_text(&self) -> String {
        format!("{}\n{}", self.etag, self.body)
    }

    /// Parses a text from the cache; `None` if it is not a complete page of this product.
    pub fn from_text(text: &str, id: ProductId) -> Option<Self> {
        let (etag, body) = text.split_once('\n')?;
        let tag = etag.strip_prefix('"')?.strip_suffix('"')?;
        let whole = tag.starts_with(|first: char| first.is_ascii_digit())
            && body.starts_with(&format!("{{\"productId\":\"{id}\""))
            && body.ends_with('}');
        whole.then(|| Self { etag: etag.to_owned(), body: body.to_owned() })
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
        product::{NewProduct, Product},
        rating::Rating,
        stock::{Stock, StockLevel},
        user::Caller,
    };
    use serde_json::json;

    fn page(stock: i64, histogram: [u64; 5]) -> ProductPage {
        let now = Timestamp::from_unix_milliseconds(0);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let draft = json!({"name": "a", "description": "b\nc", "category": "c", "price": {"amount": 1, "currency": "SGD"}, "stock": 1});
        let draft = NewProduct::from_json(draft).unwrap().draft;
        let product = Product::publish(Id::new(now, [3; 10]), &caller, draft, now);
        let level = StockLevel::new(Stock::new(stock).unwrap(), now);
        let listed = ListedProduct::new(product, &level, Rating { histogram });
        ProductPage { listed, reviews: Page { items: Vec::new(), next: None } }
    }

    #[test]
    fn a_cached_page_round_trips_for_its_own_product_only() {
        let id = page(1, [0; 5]).listed.product.product_id;
        let document = ProductDocument::render(&page(1, [0, 0, 1, 0, 0])).unwrap();
        assert_eq!(ProductDocument::from_text(&document.to_text(), id).as_ref(), Some(&document));
        let other = ProductId::new(Timestamp::from_unix_milliseconds(0), [4; 10]);
        assert_eq!(ProductDocument::from_text(&document.to_text(), other), None);
        let cut = &document.to_text()[..60];
        for wrong in ["", "x", "\"1\"\n", "\"x\"\n{}", cut] {
            assert_eq!(ProductDocument::from_text(wrong, id), None, "{wrong}");
        }
    }

    #[test]
    fn the_tag_differs_when_stock_or_rating_differ() {
        let tags = [page(1, [0; 5]), page(2, [0; 5]), page(1, [1, 0, 0, 0, 0])]
            .map(|page| ProductDocument::render(&page).unwrap().etag);
        assert!(tags.iter().all(|tag| tag.starts_with("\"1.")), "{tags:?}");
        assert!(tags[0] != tags[1] && tags[0] != tags[2] && tags[1] != tags[2], "{tags:?}");
    }

    #[test]
    fn a_page_shows_the_stock_and_not_its_version() {
        let document = ProductDocument::render(&page(7, [0; 5])).unwrap();
        let body: serde_json::Value = serde_json::from_str(&document.body).unwrap();
        assert_eq!((&body["stock"], body.get("stockVersion")), (&json!(7), None));
    }
}
