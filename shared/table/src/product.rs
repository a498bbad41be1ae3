//! Single products: creating, reading, replacing.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
    product_item::{HIDDEN, NO_PRODUCT, VERSION, from_product_item, to_product_item},
    rating::from_rating_item,
    writer::Writer,
};
use domain::{
    Error,
    id::ProductId,
    idempotency::{Creation, Idempotency, StoredResponse},
    product::{ListedProduct, Product},
    rating::Rating,
};

impl Table {
    /// Publishes a product, with an empty rating. With an idempotency key, a repeated request changes nothing and
    /// returns the stored response of the first.
    pub async fn create_product(
        &self,
        product: &Product,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
    ) -> Result<Creation, Error> {
        let id = product.product_id;
        let mut rating: Item = keys::rating(id).primary();
        rating.extend(keys::rating_on_page(id).gsi1());
        let pointer = keys::sellers_product(product.seller_id, id).primary();
        let items = vec![to_product_item(product)?, rating, pointer];
        self.put_new(items, product.seller_id, "product-create", idempotency, product.created_at).await
    }

    /// A product that is not hidden, strongly consistent.
    pub async fn product(&self, id: ProductId) -> Result<Product, Error> {
        let item = self.get_item(keys::product(id), true).await?;
        item.map(from_product_item).transpose()?.flatten().ok_or(NO_PRODUCT)
    }

    /// A product that is not hidden, with its rating: one strongly consistent Query, one read unit for each 4 KB.
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

    /// Replaces a product with its next version, if the stored version is the previous one; else `Stale`. A write that
    /// the SDK repeats after a lost response is recognised by its writer id.
    pub async fn replace_product(&self, product: &Product, writer: Writer) -> Result<(), Error> {
        let mut item = to_product_item(product)?;
        writer.sign(&mut item);
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
            Some(stored) if writer.wrote(stored) => Ok(()),
            Some(stored) if !stored.contains_key(HIDDEN) => {
                let current =
                    number(stored, VERSION).ok_or_else(|| Error::internal("a product without a version"))?;
                Err(Error::Stale { current })
            }
            _ => Err(NO_PRODUCT),
        }
    }
}
