//! Reviews: drafts, changes and their authorisation.

use crate::{
    Error, Fault, Input, Timestamp, Version,
    id::{NotAnId, ProductId, UserId},
    input::{Checked, Members, MergePatch, Revisable, integer},
    text::text_type,
    user::Caller,
    version::Seen,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// The stars of a review: 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stars(u8);

impl Stars {
    /// `None` outside 1 to 5.
    pub fn new(stars: i64) -> Option<Self> {
        u8::try_from(stars).ok().filter(|stars| (1..=5).contains(stars)).map(Self)
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }

    fn read(value: &Value) -> Checked<Self> {
        let stars = integer(value, 1, 5)?;
        Self::new(stars).ok_or_else(|| vec![Fault::here("must be a whole number from 1 to 5")])
    }
}

text_type! {
    /// A review's title: one line of 1 to 200 characters.
    ReviewTitle = line(1, 200)
}

text_type! {
    /// A review's text: up to 10,000 characters; may be empty.
    ReviewBody = lines(0, 10_000)
}

/// The fields of a review that its author writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewDraft {
    /// The stars, 1 to 5.
    pub rating: Stars,
    /// The title.
    pub title: ReviewTitle,
    /// The text.
    pub body: ReviewBody,
}

impl ReviewDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let rating = members.required("rating", |value| Stars::read(&value));
        let title = members.required("title", ReviewTitle::from_value);
        let body = members.required("body", ReviewBody::from_value);
        members.finish(|| Some(Self { rating: rating?, title: title?, body: body? }))
    }
}

impl Input for ReviewDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

/// A user's review of a product. There is at most one per user and product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// The reviewed product.
    pub product_id: ProductId,
    /// The author.
    pub author_id: UserId,
    /// The author's display name when the review was written or last changed. None if the author's account was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// The fields that the author wrote.
    #[serde(flatten)]
    pub draft: ReviewDraft,
    /// Whether the author had a confirmed order of the product when the review was written or last changed.
    #[serde(default)]
    pub verified_purchase: bool,
    /// The version, for optimistic locking. See [`Review::write`].
    pub version: Version,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// Which reviews of a product a list has. The default is all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReviewFilter {
    /// Only those with this number of stars.
    pub stars: Option<Stars>,
    /// Only those that say that their author had bought the product.
    pub verified_purchase: bool,
}

/// A review without title and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// The stars, 1 to 5.
    pub rating: Stars,
    /// The version.
    pub version: Version,
    /// The time of creation.
    pub created_at: Timestamp,
}

/// Checks that the caller may review a product of this seller: `Forbidden` for the seller.
pub fn allow(caller: &Caller, seller: UserId) -> Result<(), Error> {
    if caller.user_id == seller {
        Err(Error::Forbidden { detail: "Sellers may not review their own products." })
    } else {
        Ok(())
    }
}

impl Review {
    /// The review without title and text.
    pub fn outline(&self) -> Outline {
        Outline { rating: self.draft.rating, version: self.version, created_at: self.created_at }
    }

    /// A new review by the caller. Its first version is the time in milliseconds, so that a version of a review that the
    /// caller has deleted is no version of the review that takes its place: a review is changed far less often than once
    /// a millisecond.
    pub fn write(
        product_id: ProductId,
        caller: &Caller,
        draft: ReviewDraft,
        verified_purchase: bool,
        now: Timestamp,
    ) -> Self {
        let (author_id, version) = (caller.user_id, now.unix_milliseconds());
        Self {
            product_id,
            author_id,
            author_name: None,
            draft,
            verified_purchase,
            version,
            created_at: now,
            updated_at: now,
        }
    }

    /// The next version of the review. `Forbidden` unless the caller is the author; `Stale` unless `seen` names the
    /// current version.
    pub fn change(
        &self,
        caller: &Caller,
        patch: MergePatch,
        seen: &Seen,
        verified_purchase: bool,
        now: Timestamp,
    ) -> Result<Self, Error> {
        self.written_by(caller)?;
        let current = Revisable { draft: &self.draft, version: self.version, optional: &[] };
        let (draft, version) = patch.revise(&current, seen, ReviewDraft::read)?;
        Ok(Self { draft, verified_purchase, version, updated_at: now, ..self.clone() })
    }

    /// Checks that the caller may remove the review: `Forbidden` unless the caller is the author; `Stale` unless `seen`
    /// names the current version.
    pub fn remove(&self, caller: &Caller, seen: &Seen) -> Result<(), Error> {
        self.written_by(caller)?;
        seen.check(self.version)
    }

    fn written_by(&self, caller: &Caller) -> Result<(), Error> {
        caller.must_be(self.author_id, "Only its author may change a review.")
    }
}

/// An entry of the list of an author's reviews: a window of the limit of reviews, and a product that was reviewed in it.
/// Entries sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReviewEntry {
    /// The start of the window, in seconds since 1970.
    pub window_start: u64,
    /// The product.
    pub product_id: ProductId,
}

impl ReviewEntry {
    /// Whether a review of the product may have been written at this entry. A window in which its author changed it, or
    /// asked in vain for a second one, is later.
    pub fn is_of(&self, review: &Review) -> bool {
        review.product_id == self.product_id && review.created_at.unix_seconds() >= self.window_start
    }
}

impl fmt::Display for ReviewEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.window_start, self.product_id)
    }
}

impl FromStr for ReviewEntry {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (window, product) = text.split_once('.').ok_or(NotAnId)?;
        Ok(Self { window_start: window.parse().map_err(|_| NotAnId)?, product_id: product.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Id, SessionId};
    use serde_json::json;

    fn caller(byte: u8) -> Caller {
        let now = Timestamp::from_unix_milliseconds(0);
        Caller { user_id: UserId::new(now, [byte; 10]), session_id: SessionId::new(now, [0; 10]) }
    }

    fn review() -> Review {
        review_of(7)
    }

    fn review_of(milliseconds: u64) -> Review {
        let now = Timestamp::from_unix_milliseconds(milliseconds);
        let draft = ReviewDraft::from_json(json!({"rating": 4, "title": "Sweet", "body": ""})).unwrap();
        Review::write(ProductId::new(now, [9; 10]), &caller(1), draft, false, now)
    }

    fn changed(by: u8, patch: Value, seen: &Seen) -> Result<Review, Error> {
        review().change(
            &caller(by),
            MergePatch::from_json(patch)?,
            seen,
            true,
            Timestamp::from_unix_milliseconds(5),
        )
    }

    #[test]
    fn all_faults_of_a_draft_are_reported_at_once() {
        for rating in [json!(0), json!(6), json!(4.5), json!("5"), json!(null)] {
            let bad = json!({"rating": rating, "title": "", "body": "\u{7}", "version": 1});
            let Err(Error::Invalid(faults)) = ReviewDraft::from_json(bad) else { panic!("{rating}") };
            assert_eq!(faults.len(), 4, "{rating}");
        }
    }

    #[test]
    fn change_and_remove_require_the_author_and_the_current_version() {
        let stale = Seen::Versions(vec![6, 8]);
        assert!(matches!(changed(2, json!({}), &Seen::Any), Err(Error::Forbidden { .. })));
        assert_eq!(changed(1, json!({}), &stale), Err(Error::Stale { current: 7 }));
        assert!(matches!(review().remove(&caller(2), &Seen::Any), Err(Error::Forbidden { .. })));
        assert_eq!(review().remove(&caller(1), &stale), Err(Error::Stale { current: 7 }));
        assert_eq!(review().remove(&caller(1), &Seen::Any), Ok(()));
    }

    #[test]
    fn sellers_may_not_review_their_own_products() {
        assert_eq!(allow(&caller(1), caller(2).user_id), Ok(()));
        assert!(matches!(allow(&caller(1), caller(1).user_id), Err(Error::Forbidden { .. })));
    }

    #[test]
    fn a_change_says_anew_whether_the_product_was_bought() {
        assert!(!review().verified_purchase);
        assert!(changed(1, json!({}), &Seen::Any).unwrap().verified_purchase);
        assert!(matches!(changed(1, json!({"verifiedPurchase": true}), &Seen::Any), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_review_that_is_written_anew_has_no_version_of_the_one_before() {
        let (first, again) = (review(), review_of(100));
        let second = changed(1, json!({"rating": 2}), &Seen::Any).unwrap();
        let old = Seen::Versions(vec![first.version, second.version]);
        assert_eq!(again.remove(&caller(1), &old), Err(Error::Stale { current: again.version }));
    }

    #[test]
    fn a_patch_changes_only_the_members_it_names() {
        let after = changed(1, json!({"rating": 2}), &Seen::Versions(vec![7])).unwrap();
        assert_eq!((after.draft.rating.get(), after.draft.title.as_str(), after.version), (2, "Sweet", 8));
        assert!(matches!(changed(1, json!({"title": null}), &Seen::Any), Err(Error::Invalid(_))));
        assert!(matches!(changed(1, json!({"author": null}), &Seen::Any), Err(Error::Invalid(_))));
    }
}
