//! Representations that more than one function makes.

use crate::{
    Problem, cursor, etag,
    problem::Kind,
    respond::{self, Items, Response},
};
use domain::{
    Fault, Version,
    concert::Progress,
    id::{ConcertId, ProductId},
    order::{Order, Reason},
    product::{ListedProduct, ProductPage},
    review::Review,
};
use http::header;
use serde::Serialize;

/// How many of its newest reviews a product's page shows.
pub const REVIEWS_ON_PAGE: u8 = 10;

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    listed: &'a ListedProduct,
    reviews: Items<'a, Review>,
}

/// A product's page, ready to be sent and to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductDocument {
    /// The version of the product.
    pub version: Version,
    /// The entity tag.
    pub etag: String,
    /// The JSON text.
    pub body: String,
}

impl ProductDocument {
    /// Renders a page.
    pub fn render(page: &ProductPage) -> Result<Self, Problem> {
        let ProductPage { listed, reviews } = page;
        let id = listed.product.product_id;
        let next = reviews.next.as_ref().map(|next| cursor::encode(&cursor::reviews_of(id), next));
        let shown = Shown { listed, reviews: Items { items: &reviews.items, next_cursor: next.as_deref() } };
        let body = respond::ok(&shown)?.body;
        let version = listed.product.version;
        // A page that shows reviews changes without a new version of the product.
        let bare = listed.rating.count() == 0 && reviews.items.is_empty();
        let etag =
            if bare { etag::of_version(version) } else { etag::of_version_with(version, body.as_bytes()) };
        Ok(Self { version, etag, body })
    }

    /// As a text that can be kept: the tag, a line feed, the body.
    pub fn to_text(&self) -> String {
        format!("{}\n{}", self.etag, self.body)
    }

    /// Reads a kept text; `None` for what is not the page of this product.
    pub fn from_text(text: &str, id: ProductId) -> Option<Self> {
        let (etag, body) = text.split_once('\n')?;
        let digits = etag.strip_prefix('"')?.strip_suffix('"')?.split('.').next()?;
        let version = digits.parse().ok()?;
        let whole = body.starts_with(&format!("{{\"productId\":\"{id}\"")) && body.ends_with('}');
        whole.then(|| Self { version, etag: etag.to_owned(), body: body.to_owned() })
    }

    /// 200 with the page.
    pub fn into_response(self) -> Response {
        respond::text(http::StatusCode::OK, "application/json", self.body).with(header::ETAG, self.etag)
    }
}

/// How a request for a concert stands, as its `Location` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcertStatus {
    /// The concert that is to be.
    pub concert_id: ConcertId,
    /// How it stands.
    #[serde(flatten)]
    pub progress: Progress,
}

/// Why an order was rejected, in a sentence.
pub(crate) fn because(reason: &Reason) -> String {
    match reason {
        Reason::OutOfStock { .. } => "The order was rejected: there is less than it asks for.".to_owned(),
        Reason::PaymentDeclined { detail } => format!("The order was rejected: {detail}"),
        Reason::Failed(failed) => {
            format!("The order was rejected: {} failed, {}.", failed.step, failed.detail)
        }
    }
}

/// The problem of an order that was rejected: what is short is named at its line.
pub fn rejected(order: &Order, reason: &Reason) -> Problem {
    let mut problem = Problem::new(Kind::OrderRejected, because(reason));
    if let Reason::OutOfStock { lines } = reason {
        problem.faults = lines
            .iter()
            .filter_map(|short| {
                let index = order.lines.iter().position(|line| line.product_id == short.product_id)?;
                let fault = Fault::here(format!("There are only {} left.", short.available));
                Some(fault.under(&index.to_string()).under("lines"))
            })
            .collect();
    }
    problem
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
    fn a_kept_page_is_read_as_it_was_written_and_for_its_own_product_alone() {
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
    fn the_tag_is_the_version_until_there_are_reviews() {
        assert_eq!(ProductDocument::render(&page([0; 5])).unwrap().etag, "\"1\"");
        let tags = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
            .map(|histogram| ProductDocument::render(&page(histogram)).unwrap().etag);
        assert!(tags[0].starts_with("\"1.") && tags[0] != tags[1], "{tags:?}");
    }
}
