//! Keys of categories.

use crate::keys::Key;
use domain::{id::ProductId, product::Category};

/// The partition of a category in the second index.
pub fn category_partition(category: &Category) -> String {
    format!("CATEGORY#{category}")
}

/// A product in the second index, under its category.
pub fn product_in_category(category: &Category, id: ProductId) -> Key {
    Key::new(category_partition(category), id.to_string())
}

/// A partition of the numbers of products of all categories.
pub fn category_counts_partition(shard: char) -> String {
    format!("CATEGORIES#{shard}")
}

/// The number of a category's products whose ids end with this digit.
pub fn category_count(category: &Category, shard: char) -> Key {
    Key::new(category_counts_partition(shard), category.as_str())
}

/// The digit that a product's id ends with.
pub fn shard_of(id: ProductId) -> char {
    id.to_string().chars().last().unwrap_or_default()
}
