//! Products, and who may change them.

use crate::{
    Error, Input, Money, Timestamp, Version,
    id::{ProductId, UserId},
    input::{Checked, Members, MergePatch, integer},
    page::Page,
    rating::Rating,
    review::{Outline, Review},
    text,
    user::Caller,
    version::Seen,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// The highest stock that can be entered.
pub const HIGHEST_STOCK: i64 = 1_000_000_000;

/// What a seller says of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductDraft {
    /// One line of 1 to 200 characters.
    pub name: String,
    /// Up to 5,000 characters; may be empty.
    pub description: String,
    /// One line of 1 to 64 characters; products are listed by it.
    pub category: String,
    /// The price of one.
    pub price: Money,
    /// How many can be sold.
    pub stock: i64,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
}

/// A category: one line of 1 to 64 characters.
pub fn category(value: Value) -> Checked<String> {
    text::line(value, 1, 64)
}

impl ProductDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", |value| text::line(value, 1, 200));
        let description = members.required("description", |value| text::lines(value, 0, 5000));
        let category = members.required("category", category);
        let price = members.required("price", Money::price);
        let stock = members.required("stock", |value| integer(&value, 0, HIGHEST_STOCK));
        let image_url = members.optional("imageUrl", text::https_url);
        members.finish(|| {
            Some(Self {
                name: name?,
                description: description?,
                category: category?,
                price: price?,
                stock: stock?,
                image_url,
            })
        })
    }
}

impl Input for ProductDraft {
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
    /// Who sells it, and alone may change it.
    pub seller_id: UserId,
    /// What the seller says of it.
    #[serde(flatten)]
    pub draft: ProductDraft,
    /// For optimistic locking.
    pub version: Version,
    /// When it was published.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Product {
    /// A new product of the caller's.
    pub fn publish(product_id: ProductId, caller: &Caller, draft: ProductDraft, now: Timestamp) -> Self {
        Self { product_id, seller_id: caller.user_id, draft, version: 1, created_at: now, updated_at: now }
    }

    /// The next version of the product. Only the seller may change it, and only having seen the present version.
    pub fn change(
        &self,
        caller: &Caller,
        patch: MergePatch,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<Self, Error> {
        self.owned_by(caller)?;
        let draft = patch.apply(&self.draft, &["imageUrl"], ProductDraft::read)?;
        seen.check(self.version)?;
        Ok(Self { draft, version: self.version + 1, updated_at: now, ..self.clone() })
    }

    /// Whether the caller may withdraw the product now. Only the seller may, and only having seen the present version.
    pub fn withdraw(&self, caller: &Caller, seen: &Seen) -> Result<(), Error> {
        self.owned_by(caller)?;
        seen.check(self.version)
    }

    fn owned_by(&self, caller: &Caller) -> Result<(), Error> {
        if self.seller_id == caller.user_id {
            Ok(())
        } else {
            Err(Error::Forbidden { detail: "Only its seller may change a product." })
        }
    }
}

/// A product as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedProduct {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// What its reviews say, taken together.
    pub rating: Rating,
}

/// A product with what its page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductPage {
    /// The product and its rating.
    pub listed: ListedProduct,
    /// The newest reviews, and where the rest of them begin.
    pub reviews: Page<Review, ReviewPosition>,
}

impl ProductPage {
    /// Whether the reviews shown take a change of the author's review into account, from `old` to `new`: an index
    /// may show reviews as they were a moment ago.
    pub fn reflects(&self, author: UserId, old: Option<Outline>, new: Option<Outline>) -> bool {
        let shown = self.reviews.items.iter().find(|review| review.author_id == author);
        match (shown, new) {
            (Some(shown), Some(new)) => (shown.created_at, shown.version) >= (new.created_at, new.version),
            (None, Some(new)) => self.reviews.next.as_ref().is_some_and(|end| {
                // Newest first: what is older than the end of the page is not shown.
                (new.created_at, author) < (end.created_at, end.author_id)
            }),
            (Some(shown), None) => old.is_some_and(|old| shown.created_at > old.created_at),
            (None, None) => true,
        }
    }
}

/// Where a review stands among a product's reviews, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewPosition {
    /// When it was written.
    pub created_at: Timestamp,
    /// By whom.
    pub author_id: UserId,
}

impl fmt::Display for ReviewPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.unix_milliseconds(), self.author_id)
    }
}

/// A text that is no position of a review.
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
    /// A product that nobody has reviewed yet.
    pub fn unrated(product: Product) -> Self {
        Self { product, rating: Rating::default() }
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
            ProductDraft::from_json(draft()).unwrap(),
            now,
        )
    }

    fn changed(patch: Value) -> Result<Product, Error> {
        let patch = MergePatch::from_json(patch)?;
        product().change(&caller(1), patch, &Seen::Versions(vec![1]), Timestamp::from_unix_milliseconds(5))
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let after =
            changed(json!({"price": {"amount": 700}, "imageUrl": "https://a.example/1.jpg"})).unwrap();
        let price = Money { amount: 700, ..product().draft.price };
        let image_url = Some("https://a.example/1.jpg".to_owned());
        let draft = ProductDraft { price, image_url, ..product().draft };
        assert_eq!(
            after,
            Product { draft, version: 2, updated_at: Timestamp::from_unix_milliseconds(5), ..product() }
        );
    }

    #[test]
    fn what_is_required_cannot_be_removed_and_what_the_server_sets_cannot_be_sent() {
        let Err(Error::Invalid(faults)) = changed(json!({"name": null, "price": 5, "version": 7})) else {
            panic!()
        };
        let pointers: Vec<_> = faults.into_iter().map(|fault| fault.place).collect();
        assert_eq!(
            pointers,
            ["/name", "/price", "/version"].map(|pointer| crate::Place::Body(pointer.into()))
        );
    }

    #[test]
    fn an_unknown_member_is_a_fault_even_where_it_is_removed() {
        let Err(Error::Invalid(faults)) = changed(json!({"colour": null, "price": {"vat": null}})) else {
            panic!()
        };
        assert_eq!(faults.len(), 2);
        assert!(changed(json!({"imageUrl": null})).is_ok());
    }

    #[test]
    fn an_optional_member_is_removed_by_null() {
        let mut with_image = product();
        with_image.draft.image_url = Some("https://a.example/1.jpg".into());
        let patch = MergePatch::from_json(json!({"imageUrl": null})).unwrap();
        let after = with_image.change(&caller(1), patch, &Seen::Any, with_image.created_at).unwrap();
        assert_eq!(after.draft.image_url, None);
    }

    #[test]
    fn only_the_seller_having_seen_the_present_version_may_change_or_withdraw() {
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
    fn a_product_reads_as_it_was_written() {
        let written = serde_json::to_value(product()).unwrap();
        assert_eq!(written["name"], "Kaya jam");
        assert_eq!(serde_json::from_value::<Product>(written).unwrap(), product());
    }

    #[test]
    fn a_page_reflects_a_change_that_it_shows_or_that_lies_behind_its_end() {
        let review = |author: u8, at, version| {
            let now = Timestamp::from_unix_milliseconds(at);
            let draft = ReviewDraft::from_json(json!({"rating": 5, "title": "a", "body": ""})).unwrap();
            Review { version, ..Review::write(product().product_id, &caller(author), draft, now) }
        };
        let id = |author| caller(author).user_id;
        let end = ReviewPosition { created_at: Timestamp::from_unix_milliseconds(20), author_id: id(2) };
        let reviews = Page { items: vec![review(1, 30, 2), review(2, 20, 1)], next: Some(end) };
        let page = ProductPage { listed: ListedProduct::unrated(product()), reviews };
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
    fn a_position_reads_as_it_was_written() {
        let position =
            ReviewPosition { created_at: Timestamp::from_unix_milliseconds(7), author_id: caller(1).user_id };
        assert_eq!(position.to_string().parse(), Ok(position));
        assert_eq!("7.x".parse::<ReviewPosition>(), Err(NotAPosition));
    }

    #[test]
    fn all_faults_of_a_draft_at_once() {
        let bad = json!({"name": "", "description": 1, "category": " x", "price": {"amount": -1, "currency": "GOLD"}, "stock": -1, "imageUrl": "x", "id": 1});
        let Err(Error::Invalid(faults)) = ProductDraft::from_json(bad) else { panic!() };
        assert_eq!(faults.len(), 8);
    }
}
