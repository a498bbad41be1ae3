//! Lists of products, newest first: product ids sort by creation time.

use crate::{
    engine::{
        item::{Item, key_of, s, text},
        table::Table,
    },
    keys::{self, GSI2, GSI2_PK, GSI2_SK, PK, SK},
    product_item::from_product_item,
    rating::from_rating_item,
};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::{
    Error,
    id::{ProductId, UserId},
    page::{Page, PageSize},
    product::{Category, ListedProduct, Product},
    rating::Rating,
};
use std::collections::HashMap;

/// A page of products; the position is the id of its last product.
pub type ProductList = Page<ListedProduct, ProductId>;

impl Table {
    /// The products of a category: one Query for the products, one BatchGetItem of at most 100 keys for their ratings.
    pub async fn products_of_category(
        &self,
        category: &Category,
        size: PageSize,
        after: Option<ProductId>,
    ) -> Result<ProductList, Error> {
        let query = self
            .client()
            .query()
            .index_name(GSI2)
            .expression_attribute_names("#pk", GSI2_PK)
            .expression_attribute_values(":pk", s(keys::category_partition(category)));
        let query = match after {
            None => query.key_condition_expression("#pk = :pk"),
            Some(after) => query
                .key_condition_expression("#pk = :pk AND #sk < :after")
                .expression_attribute_names("#sk", GSI2_SK)
                .expression_attribute_values(":after", s(after.to_string())),
        };
        let (items, more) = self.newest(query, size).await?;
        let products = items.into_iter().map(from_product_item).collect::<Result<Vec<_>, _>>()?;
        let products: Vec<Product> = products.into_iter().flatten().collect();
        let next = more.then(|| products.last().map(|product| product.product_id)).flatten();
        let ratings = products.iter().map(|product| keys::rating(product.product_id)).collect();
        let mut ratings = ratings_of(&self.batch_get(ratings, false).await?);
        let items = products.into_iter().map(|product| {
            let rating = ratings.remove(&keys::product_partition(product.product_id)).unwrap_or_default();
            ListedProduct { product, rating }
        });
        Ok(Page { items: items.collect(), next })
    }

    /// The products of a seller: one Query for their ids, BatchGetItems of at most 100 keys for the products and their
    /// ratings. A product that is being withdrawn is left out, so a page may be short.
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
        let (items, more) = self.newest(query, size).await?;
        let ids =
            items.iter().filter_map(|item| keys::parse_sellers_product(text(item, SK)?)).collect::<Vec<_>>();
        let next = more.then(|| ids.last().copied()).flatten();
        let wanted = ids.iter().flat_map(|id| [keys::product(*id), keys::rating(*id)]).collect();
        let (found, ratings): (Vec<Item>, Vec<Item>) = self
            .batch_get(wanted, false)
            .await?
            .into_iter()
            .partition(|item| text(item, SK) == Some(keys::PRODUCT));
        let mut ratings = ratings_of(&ratings);
        let products = found.into_iter().map(from_product_item).collect::<Result<Vec<_>, _>>()?;
        let mut products: HashMap<ProductId, Product> =
            products.into_iter().flatten().map(|product| (product.product_id, product)).collect();
        let items = ids.into_iter().filter_map(|id| {
            let product = products.remove(&id)?;
            let rating = ratings.remove(&keys::product_partition(id)).unwrap_or_default();
            Some(ListedProduct { product, rating })
        });
        Ok(Page { items: items.collect(), next })
    }

    /// The first items of a query in descending order, and whether there are more.
    async fn newest(&self, query: QueryFluentBuilder, size: PageSize) -> Result<(Vec<Item>, bool), Error> {
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

/// Ratings by the partition key of their product.
fn ratings_of(items: &[Item]) -> HashMap<String, Rating> {
    items.iter().filter_map(|item| Some((key_of(item)?.pk, from_rating_item(item)))).collect()
}
