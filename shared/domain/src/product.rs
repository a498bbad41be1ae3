//! Products: drafts, changes and their authorisation, product pages.
//!
//! A product does not contain its stock, which changes with each order: see [`crate::stock`].

use crate::{
    Error, Input, Money, Timestamp, Version,
    id::{ProductId, UserId, VisitorUuid},
    input::{Checked, Members, MergePatch, Revisable},
    overlay::{InExperiment, Offer},
    page::Page,
    pricing::Pricing,
    rating::Rating,
    review::{Outline, Review},
    stock::{Stock, StockLevel},
    text::text_type,
    user::Caller,
    version::Seen,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

text_type! {
    /// A product's name: one line of 1 to 200 characters.
    ProductName = line(1, 200)
}

text_type! {
    /// A product's description: up to 5,000 characters; may be empty.
    Description = lines(0, 5000)
}

text_type! {
    /// A product's category: one line of 1 to 64 characters.
    Category = line(1, 64)
}

/// A category and how many products it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategoryCount {
    /// The category.
    pub category: Category,
    /// The number of its products.
    pub products: u64,
}

text_type! {
    /// The https URL of a product's picture.
    ImageUrl = https_url()
}

/// The fields of a product that its seller writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductDraft {
    /// The name.
    pub name: ProductName,
    /// The description.
    pub description: Description,
    /// The category.
    pub category: Category,
    /// The price of one unit.
    pub price: Money,
    /// The URL of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<ImageUrl>,
}

impl ProductDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let draft = Self::of(&mut members);
        members.finish(|| draft)
    }

    /// Reads the members of a draft; `None` if one of them is faulty.
    fn of(members: &mut Members) -> Option<Self> {
        let name = members.required("name", ProductName::from_value);
        let description = members.required("description", Description::from_value);
        let category = members.required("category", Category::from_value);
        let price = members.required("price", Money::price);
        let image_url = members.optional("imageUrl", ImageUrl::from_value);
        Some(Self { name: name?, description: description?, category: category?, price: price?, image_url })
    }
}

/// The body of a request to publish a product.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProduct {
    /// The fields of the product.
    pub draft: ProductDraft,
    /// The number of units that can be sold.
    pub stock: Stock,
}

impl NewProduct {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let draft = ProductDraft::of(&mut members);
        let stock = members.required("stock", |value| Stock::from_value(&value));
        members.finish(|| Some(Self { draft: draft?, stock: stock? }))
    }
}

impl Input for NewProduct {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

/// A product in the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// The id.
    pub product_id: ProductId,
    /// The seller; only the seller may change the product.
    pub seller_id: UserId,
    /// The seller's display name when the product was published or last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller_name: Option<String>,
    /// The fields that the seller wrote.
    #[serde(flatten)]
    pub draft: ProductDraft,
    /// The version, for optimistic locking.
    pub version: Version,
    /// The time of publication.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The overlay of a running price experiment, and the prices that experiments replaced of late. Not a part of the JSON,
    /// which everybody may read.
    #[serde(skip)]
    pub pricing: Pricing,
}

/// The control of an experiment is the product's own price: the results would compare two prices of the control.
const PRICE_IS_TESTED: Error =
    Error::Conflict { detail: "A running experiment tests the price: stop the experiment first." };

impl Product {
    /// A new product with the caller as seller.
    pub fn publish(product_id: ProductId, caller: &Caller, draft: ProductDraft, now: Timestamp) -> Self {
        Self {
            product_id,
            seller_id: caller.user_id,
            seller_name: None,
            draft,
            version: 1,
            created_at: now,
            updated_at: now,
            pricing: Pricing::default(),
        }
    }

    /// The next version of the product, and the stock if the patch sets it. `Forbidden` unless the caller is the seller;
    /// `Stale` unless `seen` names the current version; `Conflict` if it would change the price while an experiment tests
    /// it.
    pub fn change(
        &self,
        caller: &Caller,
        mut patch: MergePatch,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<(Self, Option<Stock>), Error> {
        self.owned_by(caller)?;
        let stock = patch.take("stock").map(|value| Stock::from_value(&value)).transpose();
        let stock = stock.map_err(|faults| faults.into_iter().map(|fault| fault.under("stock")));
        let current = Revisable { draft: &self.draft, version: self.version, optional: &["imageUrl"] };
        match (patch.revise(&current, seen, ProductDraft::read), stock) {
            (Ok((draft, _)), Ok(_)) if draft.price != self.draft.price && self.pricing.overlay.is_some() => {
                Err(PRICE_IS_TESTED)
            }
            (Ok((draft, version)), Ok(stock)) => {
                let pricing = self.pricing.without_expired(now);
                Ok((Self { draft, version, updated_at: now, pricing, ..self.clone() }, stock))
            }
            (Err(Error::Invalid(faults)), Err(more)) => {
                Err(Error::Invalid(faults.into_iter().chain(more).collect()))
            }
            (_, Err(faults)) => Err(Error::Invalid(faults.collect())),
            (Err(error), Ok(_)) => Err(error),
        }
    }

    /// Checks that the caller may withdraw the product: `Forbidden` unless the caller is the seller; `Stale` unless
    /// `seen` names the current version.
    pub fn withdraw(&self, caller: &Caller, seen: &Seen) -> Result<(), Error> {
        self.owned_by(caller)?;
        seen.check(self.version)
    }

    /// What a visitor pays for one unit now.
    pub fn offer(&self, visitor: Option<VisitorUuid>) -> Offer {
        self.pricing.offer(visitor, self.draft.price)
    }

    /// What a visitor paid for one unit just before the prices were replaced that are promised until this time; what they
    /// pay now if this product's were not.
    pub fn offer_promised_until(&self, until: Timestamp, visitor: Option<VisitorUuid>) -> Offer {
        self.pricing.offer_promised_until(until, visitor, self.draft.price)
    }

    /// Checks that the caller is the seller, who alone may change the product and its stock: else `Forbidden`.
    pub fn owned_by(&self, caller: &Caller) -> Result<(), Error> {
        caller.must_be(self.seller_id, "Only its seller may change a product.")
    }
}

/// A product with its stock and its rating, as in lists.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedProduct {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// The number of units that can be sold.
    pub stock: Stock,
    /// The version of the stock.
    #[serde(skip)]
    pub stock_version: Version,
    /// The rating.
    pub rating: Rating,
    /// The experiment that gave the price, if the product was listed for a visitor who is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<InExperiment>,
}

/// The versions of what a product's page shows. A page is older than another one if one of its versions is lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageVersion {
    /// The version of the product.
    pub product: Version,
    /// The version of its stock.
    pub stock: Version,
}

/// The content of a product's page.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductPage {
    /// The product and its rating.
    pub listed: ListedProduct,
    /// The first page of its reviews, newest first.
    pub reviews: Page<Review, ReviewPosition>,
}

impl ProductPage {
    /// Whether the page includes the change of the author's review from `old` to `new`. It may not, because a global
    /// secondary index is eventually consistent.
    pub fn reflects(&self, author: UserId, old: Option<Outline>, new: Option<Outline>) -> bool {
        let shown = self.reviews.items.iter().find(|review| review.author_id == author);
        match (shown, new) {
            (Some(shown), Some(new)) => (shown.created_at, shown.version) >= (new.created_at, new.version),
            (None, Some(new)) => self.reviews.next.as_ref().is_some_and(|end| {
                // The order is newest first: a review older than the last item of the page is on a later page.
                (new.created_at, author) < (end.created_at, end.author_id)
            }),
            (Some(shown), None) => old.is_some_and(|old| shown.created_at > old.created_at),
            (None, None) => true,
        }
    }
}

/// The position of a review in a product's list of reviews, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewPosition {
    /// The time of creation.
    pub created_at: Timestamp,
    /// The author.
    pub author_id: UserId,
}

impl fmt::Display for ReviewPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.unix_milliseconds(), self.author_id)
    }
}

/// The text is not the position of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPosition;

impl FromStr for ReviewPosition {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (milliseconds, author) = text.split_once('.').ok_or(NotAPosition)?;
        let milliseconds = milliseconds.parse().map_err(|_| NotAPosition)?;
        let author_id = author.parse().map_err(|_| NotAPosition)?;
        Ok(Self { created_at: Timestamp::from_unix_milliseconds(milliseconds), author_id })
    }
}

impl ListedProduct {
    /// A product with this stock and rating.
    pub fn new(product: Product, level: &StockLevel, rating: Rating) -> Self {
        Self { product, stock: level.stock, stock_version: level.version, rating, experiment: None }
    }

    /// The product as this visitor sees it.
    #[must_use]
    pub fn for_visitor(mut self, visitor: Option<VisitorUuid>) -> Self {
        let Offer { price, experiment } = self.product.offer(visitor);
        self.product.draft.price = price;
        Self { experiment, ..self }
    }

    /// A new product, without reviews.
    pub fn unrated(product: Product, stock: Stock) -> Self {
        let level = StockLevel::new(stock, product.created_at);
        Self::new(product, &level, Rating::default())
    }

    /// The versions of product and stock.
    pub fn version(&self) -> PageVersion {
        PageVersion { product: self.product.version, stock: self.stock_version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Id, SessionId},
        review::ReviewDraft,
    };
    use serde_json::json;

    fn draft() -> Value {
        json!({"name": "Kaya jam", "description": "", "category": "food", "price": {"amount": 650, "currency": "SGD"}, "stock": 3})
    }

    fn caller(byte: u8) -> Caller {
        let now = Timestamp::from_unix_milliseconds(0);
        Caller { user_id: UserId::new(now, [byte; 10]), session_id: SessionId::new(now, [0; 10]) }
    }

    fn product() -> Product {
        let now = Timestamp::from_unix_milliseconds(0);
        Product::publish(
            ProductId::new(now, [9; 10]),
            &caller(1),
            NewProduct::from_json(draft()).unwrap().draft,
            now,
        )
    }

    fn changed(patch: Value) -> Result<Product, Error> {
        changed_with_stock(patch).map(|(product, _)| product)
    }

    fn changed_with_stock(patch: Value) -> Result<(Product, Option<Stock>), Error> {
        let patch = MergePatch::from_json(patch)?;
        product().change(&caller(1), patch, &Seen::Versions(vec![1]), Timestamp::from_unix_milliseconds(5))
    }

    #[test]
    fn a_patch_changes_only_the_members_it_names() {
        let after =
            changed(json!({"price": {"amount": 700}, "imageUrl": "https://a.example/1.jpg"})).unwrap();
        let price = Money { amount: 700, ..product().draft.price };
        let image_url = Some("https://a.example/1.jpg".parse().unwrap());
        let draft = ProductDraft { price, image_url, ..product().draft };
        assert_eq!(
            after,
            Product { draft, version: 2, updated_at: Timestamp::from_unix_milliseconds(5), ..product() }
        );
    }

    #[test]
    fn a_patch_cannot_remove_required_members_or_set_server_members() {
        let Err(Error::Invalid(faults)) = changed(json!({"name": null, "price": 5, "version": 7})) else {
            panic!()
        };
        let pointers: Vec<_> = faults.into_iter().map(|fault| fault.location).collect();
        assert_eq!(
            pointers,
            ["/name", "/price", "/version"].map(|pointer| crate::FaultLocation::Body(pointer.into()))
        );
    }

    #[test]
    fn a_patch_that_removes_an_unknown_member_is_a_fault() {
        let Err(Error::Invalid(faults)) = changed(json!({"colour": null, "price": {"vat": null}})) else {
            panic!()
        };
        assert_eq!(faults.len(), 2);
        assert!(changed(json!({"imageUrl": null})).is_ok());
    }

    #[test]
    fn null_in_a_patch_removes_an_optional_member() {
        let mut with_image = product();
        with_image.draft.image_url = Some("https://a.example/1.jpg".parse().unwrap());
        let patch = MergePatch::from_json(json!({"imageUrl": null})).unwrap();
        let (after, _) = with_image.change(&caller(1), patch, &Seen::Any, with_image.created_at).unwrap();
        assert_eq!(after.draft.image_url, None);
    }

    #[test]
    fn a_patch_may_set_the_stock_which_is_no_part_of_the_product() {
        let (after, stock) = changed_with_stock(json!({"stock": 7})).unwrap();
        assert_eq!((after.draft, after.version, stock), (product().draft, 2, Stock::new(7)));
        assert_eq!(changed_with_stock(json!({"price": {"amount": 7}})).unwrap().1, None);
        let Err(Error::Invalid(faults)) = changed_with_stock(json!({"stock": null, "name": ""})) else {
            panic!()
        };
        let locations: Vec<_> = faults.into_iter().map(|fault| fault.location).collect();
        assert_eq!(locations, ["/name", "/stock"].map(|at| crate::FaultLocation::Body(at.into())));
    }

    #[test]
    fn change_and_withdraw_require_the_seller_and_the_current_version() {
        let patch = MergePatch::from_json(json!({})).unwrap();
        let now = Timestamp::from_unix_milliseconds(5);
        let stale = Seen::Versions(vec![2, 3]);
        assert!(matches!(
            product().change(&caller(2), patch.clone(), &Seen::Any, now),
            Err(Error::Forbidden { .. })
        ));
        assert_eq!(product().change(&caller(1), patch, &stale, now), Err(Error::Stale { current: 1 }));
        assert!(matches!(product().withdraw(&caller(2), &Seen::Any), Err(Error::Forbidden { .. })));
        assert_eq!(product().withdraw(&caller(1), &stale), Err(Error::Stale { current: 1 }));
        assert_eq!(product().withdraw(&caller(1), &Seen::Versions(vec![7, 1])), Ok(()));
    }

    #[test]
    fn a_product_round_trips_through_json() {
        let written = serde_json::to_value(product()).unwrap();
        assert_eq!(written["name"], "Kaya jam");
        assert_eq!(serde_json::from_value::<Product>(written).unwrap(), product());
    }

    #[test]
    fn a_page_reflects_changes_that_it_shows_or_that_are_on_later_pages() {
        let review = |author: u8, at, version| {
            let now = Timestamp::from_unix_milliseconds(at);
            let draft = ReviewDraft::from_json(json!({"rating": 5, "title": "a", "body": ""})).unwrap();
            Review { version, ..Review::write(product().product_id, &caller(author), draft, false, now) }
        };
        let id = |author| caller(author).user_id;
        let end = ReviewPosition { created_at: Timestamp::from_unix_milliseconds(20), author_id: id(2) };
        let reviews = Page { items: vec![review(1, 30, 2), review(2, 20, 1)], next: Some(end) };
        let page = ProductPage { listed: ListedProduct::unrated(product(), Stock::new(3).unwrap()), reviews };
        assert!(page.reflects(id(1), None, Some(review(1, 30, 2).outline())));
        assert!(page.reflects(id(1), None, Some(review(1, 30, 1).outline())));
        assert!(!page.reflects(id(1), None, Some(review(1, 30, 3).outline())));
        assert!(!page.reflects(id(3), None, Some(review(3, 25, 1).outline())));
        assert!(page.reflects(id(3), None, Some(review(3, 10, 1).outline())));
        assert!(!page.reflects(id(1), Some(review(1, 30, 2).outline()), None));
        assert!(page.reflects(id(1), Some(review(1, 29, 7).outline()), None));
        assert!(page.reflects(id(3), Some(review(3, 25, 1).outline()), None));
    }

    #[test]
    fn a_position_round_trips_through_text() {
        let position =
            ReviewPosition { created_at: Timestamp::from_unix_milliseconds(7), author_id: caller(1).user_id };
        assert_eq!(position.to_string().parse(), Ok(position));
        assert_eq!("7.x".parse::<ReviewPosition>(), Err(NotAPosition));
    }

    #[test]
    fn all_faults_of_a_draft_are_reported_at_once() {
        let bad = json!({"name": "", "description": 1, "category": " x", "price": {"amount": -1, "currency": "GOLD"}, "stock": -1, "imageUrl": "x", "id": 1});
        let Err(Error::Invalid(faults)) = NewProduct::from_json(bad) else { panic!() };
        assert_eq!(faults.len(), 8);
    }
}
