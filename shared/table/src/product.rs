//! Single products: creating, reading, replacing.

use crate::{
    engine::{
        item::{Item, n, number, s},
        request::Written,
        table::Table,
        transaction::Transacted,
    },
    keys::{self, PK, SK},
    product_item::{HIDDEN, NO_PRODUCT, VERSION, from_product_item, to_product_item},
    product_parts::ProductParts,
    stock,
    writer::Writer,
};
use domain::{
    Error,
    id::ProductId,
    idempotency::{Creation, Idempotency, StoredResponse},
    product::{Category, ListedProduct, Product},
    stock::{Stock, StockChange},
};

impl Table {
    /// Publishes a product, with its stock and an empty rating, and counts it in its category. With an idempotency key,
    /// a repeated request changes nothing and returns the stored response of the first.
    pub async fn create_product(
        &self,
        product: &Product,
        stock: Stock,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
    ) -> Result<Creation, Error> {
        let id = product.product_id;
        let mut rating: Item = keys::rating(id).primary();
        rating.extend(keys::rating_on_page(id).gsi1());
        let mut pointer = keys::sellers_product(product.seller_id, id).primary();
        pointer.extend(keys::newest_product(id).gsi2());
        let stock = stock::of_new_product(product, stock)?;
        let items = [to_product_item(product)?, stock, rating, pointer];
        let items = items.into_iter().map(|item| self.put_if_absent(item));
        let counted = self.count_product(&product.draft.category, id, 1);
        let writes = items.chain([counted]).collect::<Result<_, _>>()?;
        self.write_new(writes, product.seller_id, "product-create", idempotency, product.created_at).await
    }

    /// A product that is not hidden, strongly consistent.
    pub async fn product(&self, id: ProductId) -> Result<Product, Error> {
        let item = self.get_item(keys::product(id), true).await?;
        item.map(from_product_item).transpose()?.flatten().ok_or(NO_PRODUCT)
    }

    /// A product that is not hidden, with its stock and its rating: one strongly consistent Query, one read unit for
    /// each 4 KB.
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
        let mut parts = ProductParts::default();
        for item in self.query(query).await?.items.unwrap_or_default() {
            parts.add(item)?;
        }
        parts.listed().ok_or(NO_PRODUCT)
    }

    /// Replaces a product with its next version, if the stored version is the previous one; else `Stale`. A write that
    /// the SDK repeats after a lost response is recognised by its writer id. `from` is the category of the previous
    /// version: a product that leaves it is counted in the other one in the same transaction.
    pub async fn replace_product(
        &self,
        product: &Product,
        from: &Category,
        writer: Writer,
    ) -> Result<(), Error> {
        if product.draft.category != *from {
            return self.replace_with(product, from, None, writer).await;
        }
        let mut item = to_product_item(product)?;
        writer.sign(&mut item);
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression(IS_PREVIOUS)
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#hidden", HIDDEN)
            .expression_attribute_values(":before", n(product.version - 1));
        let Written::Refused(stored) = self.put(put).await? else { return Ok(()) };
        unless_stale(stored.as_ref(), writer)
    }

    /// As [`Table::replace_product`], and sets the stock in the same transaction.
    pub async fn replace_product_and_stock(
        &self,
        product: &Product,
        from: &Category,
        stock: Stock,
        writer: Writer,
    ) -> Result<(), Error> {
        self.replace_with(product, from, Some(stock), writer).await
    }

    /// Replaces a product and all that changes with it in one transaction.
    async fn replace_with(
        &self,
        product: &Product,
        from: &Category,
        stock: Option<Stock>,
        writer: Writer,
    ) -> Result<(), Error> {
        let (id, to) = (product.product_id, &product.draft.category);
        let mut item = to_product_item(product)?;
        writer.sign(&mut item);
        let before = vec![("before", n(product.version - 1))];
        let mut transaction = vec![self.put_if(item, IS_PREVIOUS, &[VERSION, HIDDEN], before)?];
        if let Some(stock) = stock {
            let change = stock::changed(id, StockChange::Set(stock), product.updated_at);
            transaction.push(self.update_if(change)?);
        }
        if to != from {
            transaction.extend([self.count_product(from, id, -1)?, self.count_product(to, id, 1)?]);
        }
        match self.transact(transaction).await? {
            Transacted::Done => {
                if to != from {
                    self.delete_empty_counter(from, id).await;
                }
                Ok(())
            }
            Transacted::Refused(0, stored) => unless_stale(stored.as_ref(), writer),
            Transacted::Refused(..) => Err(NO_PRODUCT),
        }
    }
}

/// The condition that the stored version is the one before the written version.
pub(crate) const IS_PREVIOUS: &str = "#version = :before AND attribute_not_exists(#hidden)";

/// Interprets the failed condition: success if this writer wrote the stored product, else `Stale` or not found.
fn unless_stale(stored: Option<&Item>, writer: Writer) -> Result<(), Error> {
    match stored {
        Some(stored) if writer.wrote(stored) => Ok(()),
        Some(stored) if !stored.contains_key(HIDDEN) => {
            let current =
                number(stored, VERSION).ok_or_else(|| Error::internal("a product without a version"))?;
            Err(Error::Stale { current })
        }
        _ => Err(NO_PRODUCT),
    }
}
