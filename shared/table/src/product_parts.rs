//! The parts of a listed product, which are items of their own: product, stock and rating.

use crate::{
    engine::item::{Item, text},
    keys::{self, SK},
    product_item::from_product_item,
    rating::from_rating_item,
    stock::from_stock_item,
};
use domain::{
    Error,
    product::{ListedProduct, Product},
    rating::Rating,
    stock::StockLevel,
};

/// The parts of one product that were read so far, in any order.
#[derive(Default)]
pub(crate) struct ProductParts {
    product: Option<Product>,
    stock: Option<StockLevel>,
    rating: Rating,
}

impl ProductParts {
    /// Adds an item. Returns an item that is no part, such as a review.
    pub(crate) fn add(&mut self, item: Item) -> Result<Option<Item>, Error> {
        match text(&item, SK) {
            Some(keys::PRODUCT) => self.product = from_product_item(item)?,
            Some(keys::STOCK) => self.stock = from_stock_item(item)?,
            Some(keys::RATING) => self.rating = from_rating_item(&item),
            _ => return Ok(Some(item)),
        }
        Ok(None)
    }

    /// The listed product; `None` if its product or its stock is hidden or was not read. A product without reviews may
    /// lack its rating.
    pub(crate) fn listed(self) -> Option<ListedProduct> {
        Some(ListedProduct::new(self.product?, &self.stock?, self.rating))
    }
}
