//! What one buyer thinks of a product.

use crate::{
    Timestamp, Version,
    id::{ProductId, UserId},
};
use serde::{Deserialize, Serialize};

/// One user's review of one product; there is at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Of what.
    pub product_id: ProductId,
    /// By whom.
    pub author_id: UserId,
    /// One to five stars.
    pub rating: u8,
    /// The headline.
    pub title: String,
    /// The text.
    pub body: String,
    /// For optimistic locking.
    pub version: Version,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
