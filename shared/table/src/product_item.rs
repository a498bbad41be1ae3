//! The stored form of a product.

use crate::{
    engine::item::{Item, b, bytes, from_item, text, to_item},
    keys,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error,
    overlay::Overlay,
    pricing::{Pricing, Promise},
    product::{Category, Product},
};

/// Set to the withdrawn version when a product is withdrawn; reads then treat the product as not found.
pub(crate) const HIDDEN: &str = "hidden";
/// The version attribute, for conditions.
pub(crate) const VERSION: &str = "version";

/// The error when a product does not exist.
pub(crate) const NO_PRODUCT: Error = Error::NotFound { what: "product" };

/// The overlay of the running experiment that the product is in.
const OVERLAY: &str = "overlay";
/// The prices and overlays that were replaced of late, oldest first.
const PROMISES: &str = "promises";

pub(crate) fn to_product_item(product: &Product) -> Result<Item, Error> {
    let id = product.product_id;
    let mut item = to_item(product)?;
    item.extend(keys::product(id).primary());
    item.extend(keys::product_on_page(id).gsi1());
    item.extend(keys::product_in_category(&product.draft.category, id).gsi2());
    let Pricing { overlay, promises } = &product.pricing;
    if let Some(overlay) = overlay {
        item.insert(OVERLAY.into(), b(&overlay.encode()));
    }
    if !promises.is_empty() {
        let promises = promises.iter().map(|promise| b(&promise.encode())).collect();
        item.insert(PROMISES.into(), AttributeValue::L(promises));
    }
    Ok(item)
}

/// The product of an item, unless it is hidden.
pub(crate) fn from_product_item(item: Item) -> Result<Option<Product>, Error> {
    if item.contains_key(HIDDEN) {
        return Ok(None);
    }
    let pricing = pricing(&item).ok_or_else(|| Error::internal("a product with an unreadable overlay"))?;
    let product: Product = from_item(item)?;
    Ok(Some(Product { pricing, ..product }))
}

/// The category of an item, also of a hidden one.
pub(crate) fn category_of(item: &Item) -> Result<Category, Error> {
    let category = text(item, "category").map(|text| serde_json::from_value(text.into()));
    category.and_then(Result::ok).ok_or_else(|| Error::internal("a product without a category"))
}

/// How an item is priced beside its own price; `None` if its overlay cannot be read.
fn pricing(item: &Item) -> Option<Pricing> {
    let overlay =
        if item.contains_key(OVERLAY) { Some(Overlay::decode(bytes(item, OVERLAY)?)?) } else { None };
    let promises = match item.get(PROMISES) {
        Some(list) => list.as_l().ok()?.iter().map(promise).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    Some(Pricing { overlay, promises })
}

fn promise(value: &AttributeValue) -> Option<Promise> {
    Promise::decode(value.as_b().ok()?.as_ref())
}
