//! Lists of products, newest first: product ids sort by creation time.

use crate::{
    engine::{
        item::{Item, s, text},
        table::Table,
    },
    keys::{self, GSI2, GSI2_PK, GSI2_SK, PK, SK},
    product_parts::ProductParts,
};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::{
    Error,
    id::{ProductId, UserId},
    page::{Page, PageSize},
    product::{Category, ListedProduct},
};
use std::collections::HashMap;

/// A page of products; the position is the id of its last product.
pub type ProductList = Page<ListedProduct, ProductId>;

impl Table {
    /// The products of a category: one Query for the products, BatchGetItems of at most 100 keys for their stock and
    /// ratings. A product whose stock is hidden or cannot be read yet is left out, so a page may be short.
    pub async fn products_of_category(
        &self,
        category: &Category,
        size: PageSize,
        after: Option<ProductId>,
    ) -> Result<ProductList, Error> {
        let query = self.second_index(keys::category_partition(category), after);
        let (items, more) = self.newest(query, size).await?;
        let ids: Vec<ProductId> =
            items.iter().filter_map(|item| keys::parse_product_partition(text(item, PK)?)).collect();
        let beside = ids.iter().flat_map(|id| [keys::stock(*id), keys::rating(*id)]).collect();
        let found = items.into_iter().chain(self.batch_get(beside, false).await?);
        to_page(&ids, found, more)
    }

    /// The products of a seller: one Query for their ids, BatchGetItems of at most 100 keys for the products, their
    /// stock and their ratings. A product that is being withdrawn is left out, so a page may be short.
    pub async fn products_of_seller(
        &self,
        seller: UserId,
        size: PageSize,
        after: Option<ProductId>,
    ) -> Result<ProductList, Error> {
        let query = self
            .client()
            .query()
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::user_partition(seller)));
        let query = match after {
            None => query
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                .expression_attribute_values(":prefix", s(keys::PRODUCT_PREFIX)),
            // BETWEEN includes both bounds, so the upper bound is the id before `after`.
            Some(after) => query
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :prefix AND :before")
                .expression_attribute_values(":prefix", s(keys::PRODUCT_PREFIX))
                .expression_attribute_values(":before", s(keys::sellers_product(seller, after.before()).sk)),
        };
        self.products_of_sellers(query, size).await
    }

    /// All products: as those of a seller, from the second index. Products that were published before their sellers' items
    /// were in it are left out.
    pub async fn newest_products(
        &self,
        size: PageSize,
        after: Option<ProductId>,
    ) -> Result<ProductList, Error> {
        self.products_of_sellers(self.second_index(keys::NEWEST, after), size).await
    }

    /// A page of the products that the items of a query list under their sellers.
    async fn products_of_sellers(
        &self,
        query: QueryFluentBuilder,
        size: PageSize,
    ) -> Result<ProductList, Error> {
        let (items, more) = self.newest(query, size).await?;
        let ids: Vec<ProductId> =
            items.iter().filter_map(|item| keys::parse_sellers_product(text(item, SK)?)).collect();
        let parts = |id: &ProductId| [keys::product(*id), keys::stock(*id), keys::rating(*id)];
        let found = self.batch_get(ids.iter().flat_map(parts).collect(), false).await?;
        to_page(&ids, found, more)
    }

    /// A query of a partition of the second index whose sort keys are product ids.
    fn second_index(&self, partition: impl Into<String>, after: Option<ProductId>) -> QueryFluentBuilder {
        let query = self
            .client()
            .query()
            .index_name(GSI2)
            .expression_attribute_names("#pk", GSI2_PK)
            .expression_attribute_values(":pk", s(partition.into()));
        match after {
            None => query.key_condition_expression("#pk = :pk"),
            Some(after) => query
                .key_condition_expression("#pk = :pk AND #sk < :after")
                .expression_attribute_names("#sk", GSI2_SK)
                .expression_attribute_values(":after", s(after.to_string())),
        }
    }

    /// The first items of a query in descending order, and whether there are more.
    pub(crate) async fn newest(
        &self,
        query: QueryFluentBuilder,
        size: PageSize,
    ) -> Result<(Vec<Item>, bool), Error> {
        let size = size.get();
        let query = query
            .scan_index_forward(false)
            // One item more than the page shows whether there is a next page.
            .limit(i32::try_from(size + 1).unwrap_or(i32::MAX));
        let sent = self.query(query).await?;
        let mut items = sent.items.unwrap_or_default();
        // A Query of large items can end at DynamoDB's limit of 1 MB before the page is full.
        let more = items.len() > size || sent.last_evaluated_key.is_some();
        items.truncate(size);
        Ok((items, more))
    }
}

/// The page of the products with these ids whose items were found.
fn to_page(
    ids: &[ProductId],
    found: impl IntoIterator<Item = Item>,
    more: bool,
) -> Result<ProductList, Error> {
    let mut parts: HashMap<ProductId, ProductParts> = HashMap::new();
    for item in found {
        let Some(id) = text(&item, PK).and_then(keys::parse_product_partition) else { continue };
        parts.entry(id).or_default().add(item)?;
    }
    let items = ids.iter().filter_map(|id| parts.remove(id)?.listed()).collect();
    let next = if more { ids.last().copied() } else { None };
    Ok(Page { items, next })
}
