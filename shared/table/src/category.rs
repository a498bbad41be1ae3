//! Categories: how many products each of them has.
//!
//! The number changes in the transactions that publish, move and hide a product. A category has a counter for each last
//! digit of its products' ids, so that transactions at the same time seldom have a counter in common. A counter that comes
//! down to zero is deleted.

use crate::{
    engine::{
        item::{Item, text},
        request::Written,
        table::Table,
    },
    keys::{self, GSI2, GSI2_PK, GSI2_SK, Key, PK, SK},
};
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::{
    Error,
    id::ProductId,
    page::{Page, PageSize},
    product::{Category, CategoryCount},
};
use futures::future::try_join_all;
use std::collections::BTreeMap;

/// The number of products.
const PRODUCTS: &str = "products";

/// The products of a category by the last digits of their ids, as the counters say and as they were counted. A digit without
/// products is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryRecount {
    stored: BTreeMap<char, i64>,
    counted: BTreeMap<char, i64>,
}

impl CategoryRecount {
    /// The number of products that the counters say.
    pub fn stored(&self) -> i64 {
        self.stored.values().sum()
    }

    /// The number of products that were counted.
    pub fn counted(&self) -> i64 {
        self.counted.values().sum()
    }

    /// Whether every counter is right.
    pub fn agrees(&self) -> bool {
        self.stored == self.counted
    }
}

impl Table {
    /// The categories that have products, by name: a Query of each partition of counters. A category whose counters sum to
    /// zero is left out, so a page may be short.
    pub async fn categories(
        &self,
        size: PageSize,
        after: Option<Category>,
    ) -> Result<Page<CategoryCount, Category>, Error> {
        let counters = keys::SHARDS.chars().map(|shard| self.counters(shard, size, after.as_ref()));
        let mut sums: BTreeMap<Category, i64> = BTreeMap::new();
        for (category, products) in try_join_all(counters).await?.into_iter().flatten() {
            *sums.entry(category).or_default() += products;
        }
        // Each partition was read for one category more than the page has, so no counter of the first ones is missing.
        let more = sums.len() > size.get();
        let shown: Vec<_> = sums.into_iter().take(size.get()).collect();
        let next = shown.last().filter(|_| more).map(|(category, _)| category.clone());
        let items = shown.into_iter().filter_map(|(category, products)| {
            let products = u64::try_from(products).ok().filter(|products| *products > 0)?;
            Some(CategoryCount { category, products })
        });
        Ok(Page { items: items.collect(), next })
    }

    /// The first counters of a partition.
    async fn counters(
        &self,
        shard: char,
        size: PageSize,
        after: Option<&Category>,
    ) -> Result<Vec<(Category, i64)>, Error> {
        let query = self
            .client()
            .query()
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(keys::category_counts_partition(shard)))
            .limit(i32::try_from(size.get() + 1).unwrap_or(i32::MAX));
        let query = match after {
            None => query.key_condition_expression("#pk = :pk"),
            Some(after) => query
                .key_condition_expression("#pk = :pk AND #sk > :after")
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":after", AttributeValue::S(after.to_string())),
        };
        let sent = self.query(query).await?;
        let counter = |item: &Item| Some((text(item, SK)?.parse().ok()?, products(item)?));
        Ok(sent.items().iter().filter_map(counter).collect())
    }

    /// The write that counts a product in its category, or no longer, in the transaction that makes it so.
    pub(crate) fn count_product(
        &self,
        category: &Category,
        id: ProductId,
        step: i64,
    ) -> Result<TransactWriteItem, Error> {
        self.add_to(keys::category_count(category, keys::shard_of(id)), PRODUCTS, step)
    }

    /// Deletes the counter of a category that a product has left, if it came down to zero. The product has left it whether
    /// this succeeds or not: a counter that stays is not listed.
    pub(crate) async fn delete_empty_counter(&self, category: &Category, id: ProductId) {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(keys::category_count(category, keys::shard_of(id)).primary()))
            .condition_expression("#products < :one")
            .expression_attribute_names("#products", PRODUCTS)
            .expression_attribute_values(":one", integer(1));
        let _ = self.delete(delete).await;
    }

    /// Reads a category's counters, and counts its products in the second index, which is eventually consistent: while
    /// products come and go, the two may differ.
    pub async fn recount_category(&self, category: &Category) -> Result<CategoryRecount, Error> {
        let counters = keys::SHARDS.chars().map(|shard| keys::category_count(category, shard)).collect();
        let stored = self.batch_get(counters, true).await?;
        let shard = |item: &Item| Some((text(item, PK)?.chars().last()?, products(item)?));
        let stored = stored.iter().filter_map(shard).collect();
        let mut counted = BTreeMap::new();
        let mut start = None;
        loop {
            let query = self
                .client()
                .query()
                .index_name(GSI2)
                .key_condition_expression("#pk = :pk")
                .projection_expression("#sk")
                .expression_attribute_names("#pk", GSI2_PK)
                .expression_attribute_names("#sk", GSI2_SK)
                .expression_attribute_values(":pk", AttributeValue::S(keys::category_partition(category)))
                .set_exclusive_start_key(start);
            let sent = self.query(query).await?;
            for shard in sent.items().iter().filter_map(|item| text(item, GSI2_SK)?.chars().last()) {
                *counted.entry(shard).or_default() += 1;
            }
            start = sent.last_evaluated_key;
            if start.is_none() {
                return Ok(CategoryRecount { stored, counted });
            }
        }
    }

    /// Puts the counters of a category right that differ from its products and are still as they were when these were
    /// counted. Returns whether all of them are put right for certain.
    pub async fn repair_category(
        &self,
        category: &Category,
        recount: &CategoryRecount,
    ) -> Result<bool, Error> {
        let wrong = keys::SHARDS.chars().filter_map(|shard| {
            let [stored, counted] = [&recount.stored, &recount.counted].map(|of| of.get(&shard).copied());
            (stored != counted)
                .then(|| self.repair_counter(keys::category_count(category, shard), stored, counted))
        });
        Ok(try_join_all(wrong).await?.into_iter().all(|repaired| repaired))
    }

    async fn repair_counter(
        &self,
        key: Key,
        stored: Option<i64>,
        counted: Option<i64>,
    ) -> Result<bool, Error> {
        let (condition, stored) = match stored {
            Some(stored) => ("#products = :stored", Some((":stored", integer(stored)))),
            None => ("attribute_not_exists(#products)", None),
        };
        let values = |more: Option<(&str, AttributeValue)>| {
            let values = stored.clone().into_iter().chain(more);
            Some(values.map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let written = if let Some(counted) = counted {
            let update = self
                .client()
                .update_item()
                .set_key(Some(key.primary()))
                .update_expression("SET #products = :counted")
                .condition_expression(condition)
                .expression_attribute_names("#products", PRODUCTS)
                .set_expression_attribute_values(values(Some((":counted", integer(counted)))));
            self.update(update).await?
        } else {
            let delete = self
                .client()
                .delete_item()
                .set_key(Some(key.primary()))
                .condition_expression(condition)
                .expression_attribute_names("#products", PRODUCTS)
                .set_expression_attribute_values(values(None));
            self.delete(delete).await?
        };
        // Refused, it may have been put right by an earlier attempt whose answer was lost: the next recount says so.
        Ok(matches!(written, Written::Done(_)))
    }
}

/// The number in a counter. It can be negative where products were published before they were counted.
fn products(counter: &Item) -> Option<i64> {
    counter.get(PRODUCTS)?.as_n().ok()?.parse().ok()
}

fn integer(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
