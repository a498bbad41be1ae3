//! The JSON document of a product's page: the product, its stock, its rating and its newest reviews.

use crate::{
    cursor, etag, price_splice,
    problem::Problem,
    respond::{self, Items},
    response::{self, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    id::{ProductId, VisitorUuid},
    overlay::{InExperiment, Overlay},
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

/// A rendered product page, for the response and for the cache. It shows the product's own price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductDocument {
    /// The entity tag.
    pub etag: String,
    /// The body, a JSON text.
    pub body: String,
    /// What gives visitors other prices, if the product is in a running experiment. No client reads it.
    tested: Option<PriceTest>,
}

/// The overlay of a product, and where the price is in the body of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PriceTest {
    at: usize,
    overlay: Overlay,
}

impl PriceTest {
    fn of(overlay: &Overlay, body: &str) -> Option<Self> {
        Some(Self { at: price_splice::position(body)?, overlay: overlay.clone() })
    }

    /// Shows the visitor's price in the body of the page, and the experiment that the visitor is in. Returns what was
    /// inserted; `None` for a visitor who is not in the experiment.
    fn show_price(&self, body: &mut String, visitor: VisitorUuid) -> Option<String> {
        let variant = self.overlay.variant(visitor)?;
        let experiment =
            InExperiment { experiment_id: self.overlay.experiment_id, variant: variant.key.clone() };
        price_splice::splice(body, self.at, &experiment, variant.price)
    }

    fn to_text(&self) -> String {
        format!(" {} {}", self.at, URL_SAFE_NO_PAD.encode(self.overlay.encode()))
    }

    fn from_text(text: &str) -> Option<Self> {
        let (at, overlay) = text.split_once(' ')?;
        let overlay = Overlay::decode(&URL_SAFE_NO_PAD.decode(overlay).ok()?)?;
        Some(Self { at: at.parse().ok()?, overlay })
    }
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
        let overlay = listed.product.pricing.overlay.as_ref();
        let tested = overlay.and_then(|overlay| PriceTest::of(overlay, &body));
        Ok(Self { etag, body, tested })
    }

    /// The text for the cache: entity tag, line feed, body. A product in a running experiment has, after the tag, the
    /// position of its price in the body, and its overlay in base64.
    pub fn to_text(&self) -> String {
        let tested = self.tested.as_ref().map(PriceTest::to_text).unwrap_or_default();
        format!("{}{tested}\n{}", self.etag, self.body)
    }

    /// Parses a text from the cache; `None` if it is not a complete page of this product.
    pub fn from_text(text: &str, id: ProductId) -> Option<Self> {
        let (head, body) = text.split_once('\n')?;
        let (etag, tested) = match head.split_once(' ') {
            None => (head, None),
            Some((etag, tested)) => (etag, Some(PriceTest::from_text(tested)?)),
        };
        let tag = etag.strip_prefix('"')?.strip_suffix('"')?;
        let whole = tag.starts_with(|first: char| first.is_ascii_digit())
            && body.starts_with(&format!("{{\"productId\":\"{id}\""))
            && body.ends_with('}');
        whole.then(|| Self { etag: etag.to_owned(), body: body.to_owned(), tested })
    }

    /// Whether the price depends on who the visitor is.
    pub fn is_tested(&self) -> bool {
        self.tested.is_some()
    }

    /// 200 with the page as this visitor sees it.
    pub fn into_response(mut self, visitor: Option<VisitorUuid>) -> Response {
        let tested = self.tested.take().zip(visitor);
        if let Some((test, visitor)) = &tested
            && let Some(inserted) = test.show_price(&mut self.body, *visitor)
        {
            self.etag = etag::of_variant(&self.etag, inserted.as_bytes());
        }
        response::text(http::StatusCode::OK, "application/json", self.body)
            .with(header::ETAG, self.etag)
            .by_visitor(tested.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Input, Timestamp,
        assignment::HashVersion,
        id::Id,
        overlay::OverlayVariant,
        page::Page,
        product::{NewProduct, Product},
        rating::Rating,
        share::Share,
        stock::{Stock, StockLevel},
        user::Caller,
    };
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

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
        let body: Value = serde_json::from_str(&document.body).unwrap();
        assert_eq!((&body["stock"], body.get("stockVersion")), (&json!(7), None));
    }

    /// The page of a product of which each visitor in the experiment pays 2 instead of 1.
    fn tested_page(coverage: u16) -> ProductPage {
        let variant = |key: &str, weight, price| OverlayVariant {
            key: key.to_owned(),
            weight: Share::new(weight).unwrap(),
            price,
        };
        let overlay = Overlay {
            experiment_id: Id::new(Timestamp::from_unix_milliseconds(0), [5; 10]),
            hash_version: HashVersion::V2,
            coverage: Share::new(coverage).unwrap(),
            variants: vec![variant("control", 5_000, None), variant("dear", 5_000, Some(2))],
            seed: String::new(),
            namespace: None,
        };
        let mut page = page(1, [0; 5]);
        page.listed.product.pricing.overlay = Some(overlay);
        page
    }

    /// Visitors of both variants.
    fn visitors() -> impl Iterator<Item = VisitorUuid> {
        (0..50).map(|byte| Id::new(Timestamp::from_unix_milliseconds(0), [byte; 10]))
    }

    fn field(response: &Response, name: header::HeaderName) -> Option<&str> {
        response.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_cached_page_has_the_overlay_and_no_client_reads_it() {
        let page = tested_page(10_000);
        let id = page.listed.product.product_id;
        let (document, plain) = (
            ProductDocument::render(&page).unwrap(),
            ProductDocument::render(&self::page(1, [0; 5])).unwrap(),
        );
        assert_eq!((&document.etag, &document.body), (&plain.etag, &plain.body));
        let text = document.to_text();
        assert_eq!(ProductDocument::from_text(&text, id).as_ref(), Some(&document));
        let (head, body) = text.split_once('\n').unwrap();
        for broken in ["", " x", " 1", " 1 !", " 1 AAAA", " -1 AAAA"] {
            let text = format!("{}{broken}\n{body}", plain.etag);
            assert_eq!(ProductDocument::from_text(&text, id).is_some(), broken.is_empty(), "{broken}");
        }
        assert!(
            !document
                .into_response(visitors().next())
                .body
                .as_text()
                .contains(head.rsplit_once(' ').unwrap().1)
        );
    }

    #[test]
    fn a_visitor_sees_what_the_product_offers_them() {
        let page = tested_page(10_000);
        let plain: Value = serde_json::to_value(&page.listed).unwrap();
        let mut tags = BTreeSet::new();
        for visitor in visitors() {
            let response = ProductDocument::render(&page).unwrap().into_response(Some(visitor));
            let shown: Value = serde_json::from_str(response.body.as_text()).unwrap();
            let offer = page.listed.product.offer(Some(visitor));
            assert_eq!(
                (&shown["price"], &shown["experiment"]),
                (&json!(offer.price), &json!(offer.experiment))
            );
            let listed = json!(page.listed.clone().for_visitor(Some(visitor)));
            assert_eq!((&listed["price"], &listed["experiment"]), (&shown["price"], &shown["experiment"]));
            assert_eq!(shown["name"], plain["name"]);
            assert_eq!(field(&response, header::CACHE_CONTROL), Some("private, no-cache"));
            tags.insert(field(&response, header::ETAG).unwrap().to_owned());
        }
        assert_eq!(tags.len(), 2, "{tags:?}");
        let plain = ProductDocument::render(&page).unwrap().etag;
        assert!(
            tags.iter().all(|tag| tag.starts_with(plain.trim_end_matches('"')) && *tag != plain),
            "{tags:?}"
        );
    }

    #[test]
    fn a_page_is_public_unless_the_visitor_decides_what_it_shows() {
        let (tested, plain, nobody) = (tested_page(10_000), page(1, [0; 5]), tested_page(0));
        let visitor = visitors().next();
        for (page, visitor, is_private) in [
            (&tested, visitor, true),
            (&tested, None, false),
            (&plain, visitor, false),
            (&nobody, visitor, true),
        ] {
            let document = ProductDocument::render(page).unwrap();
            let response = document.clone().into_response(visitor);
            let expected = is_private.then_some("private, no-cache");
            assert_eq!(field(&response, header::CACHE_CONTROL), expected);
            assert_eq!(field(&response, header::VARY), Some("Souk-Visitor, Cookie"));
            let is_own_price = response.body.as_text() == document.body;
            assert_eq!(
                is_own_price,
                visitor.is_none() || page.listed.product.pricing.overlay.is_none() || page == &nobody
            );
        }
    }
}
