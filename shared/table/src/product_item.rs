//! The stored form of a product.

use crate::{
    engine::item::{Item, from_item, to_item},
    keys,
};
use domain::{Error, product::Product};

/// Set to the withdrawn version when a product is withdrawn; reads then treat the product as not found.
pub(crate) const HIDDEN: &str = "hidden";
/// The version attribute, for conditions.
pub(crate) const VERSION: &str = "version";

/// The error when a product does not exist.
pub(crate) const NO_PRODUCT: Error = Error::NotFound { what: "product" };

pub(crate) fn to_product_item(product: &Product) -> Result<Item, Error> {
    let id = product.product_id;
    let mut item = to_item(product)?;
    item.extend(keys::product(id).primary());
    item.extend(keys::product_on_page(id).gsi1());
    item.extend(keys::product_in_category(&product.draft.category, id).gsi2());
    Ok(item)
}

/// The product of an item, unless it is hidden.
pub(crate) fn from_product_item(item: Item) -> Result<Option<Product>, Error> {
    if item.contains_key(HIDDEN) { Ok(None) } else { from_item(item).map(Some) }
}
