//! Products, one at a time.

use crate::{
    Table,
    item::{Item, b, bytes, from_item, n, number, s, text, to_item},
    keys::{self, PK, SK},
    rating::from_rating_item,
    request::Written,
};
use domain::{
    Error,
    id::ProductId,
    idempotency::{Answer, Once, Outcome},
    product::{ListedProduct, Product},
    rating::Rating,
};

/// Set when a product is withdrawn, to the version that was withdrawn; readers no longer see the product.
pub(crate) const HIDDEN: &str = "hidden";
/// The version, for conditions.
pub(crate) const VERSION: &str = "version";
/// Random bytes of the write that made the present version, by which that write recognises itself.
pub(crate) const WRITER: &str = "writer";

/// The error of all who look for a product that is not there.
pub(crate) const NO_PRODUCT: Error = Error::NotFound { what: "product" };

fn to_product_item(product: &Product) -> Result<Item, Error> {
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

impl Table {
    /// Publishes a product, with an empty rating. With an idempotency key, the same request a second time changes
    /// nothing and has the first one's answer.
    pub async fn create_product(
        &self,
        product: &Product,
        once: Option<(&Once, &Answer)>,
    ) -> Result<Outcome, Error> {
        let id = product.product_id;
        let mut rating: Item = keys::rating(id).primary();
        rating.extend(keys::rating_on_page(id).gsi1());
        let pointer = keys::sellers_product(product.seller_id, id).primary();
        let items = vec![to_product_item(product)?, rating, pointer];
        self.put_new(items, product.seller_id, "product-create", once, product.created_at).await
    }

    /// A product that can be seen, strongly consistent.
    pub async fn product(&self, id: ProductId) -> Result<Product, Error> {
        let item = self.get_item(keys::product(id), true).await?;
        item.map(from_product_item).transpose()?.flatten().ok_or(NO_PRODUCT)
    }

    /// A product that can be seen, with its rating: one strongly consistent Query, one read unit for each 4 KB.
    pub async fn listed_product(&self, id: ProductId) -> Result<ListedProduct, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :product AND :rating")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::product_partition(id)))
            .expression_attribute_values(":product", s(keys::PRODUCT))
            .expression_attribute_values(":rating", s(keys::RATING))
            .consistent_read(true);
        let sent = self.query(query).await?;
        let (mut product, mut rating) = (None, Rating::default());
        for item in sent.items.unwrap_or_default() {
            match text(&item, SK) {
                Some(keys::PRODUCT) => product = from_product_item(item)?,
                Some(keys::RATING) => rating = from_rating_item(&item),
                _ => {}
            }
        }
        Ok(ListedProduct { product: product.ok_or(NO_PRODUCT)?, rating })
    }

    /// Writes the next version of a product over the one before it, and over no other. `writer` is random: a write
    /// whose answer was lost and that is sent again recognises itself by it.
    pub async fn replace_product(&self, product: &Product, writer: [u8; 16]) -> Result<(), Error> {
        let mut item = to_product_item(product)?;
        item.insert(WRITER.into(), b(&writer));
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression("#version = :before AND attribute_not_exists(#hidden)")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#hidden", HIDDEN)
            .expression_attribute_values(":before", n(product.version - 1));
        let Written::Refused(stored) = self.put(put).await? else { return Ok(()) };
        match &stored {
            Some(stored) if bytes(stored, WRITER) == Some(&writer) => Ok(()),
            Some(stored) if !stored.contains_key(HIDDEN) => {
                let current =
                    number(stored, VERSION).ok_or_else(|| Error::internal("a product without a version"))?;
                Err(Error::Stale { current })
            }
            _ => Err(NO_PRODUCT),
        }
    }
}
