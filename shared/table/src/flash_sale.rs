//! Flash sales: the sessions of the source, and the items of each.
//!
//! Two crawls may run at once, and the one that read its list earlier may write later. So every write names the time at
//! which its list was read, and changes nothing that is from a list that was read later.

use crate::{
    engine::{
        item::{Item, from_item, s, to_item},
        request::Written,
        table::Table,
    },
    keys::{self, Key, PK},
};
use domain::{
    Error, Timestamp,
    flash_sale::{FlashSale, SaleId, SaleItem},
    observation::ItemId,
    page::{Page, PageSize},
};
use std::collections::HashMap;

/// When the list was read that an item is from.
const READ_AT: &str = "readAt";

/// The maximum number of sessions that are read: more than a source can have, with those that are deleted late.
const MOST_READ: i32 = 100;

impl Table {
    /// Stores a session. Returns whether it is stored; otherwise a list that was read later was faster.
    pub async fn put_flash_sale(&self, sale: &FlashSale) -> Result<bool, Error> {
        let mut item = to_item(sale)?;
        item.extend(keys::flash_sale(sale.starts_at, &sale.id).primary());
        item.extend([keys::ttl(sale.expires_at())]);
        self.put_listed(item, sale.read_at).await
    }

    /// Deletes a session that a list does not have any more, unless it is from a list that was read later. Returns whether it
    /// is gone.
    pub async fn delete_flash_sale(&self, sale: &FlashSale, read_at: Timestamp) -> Result<bool, Error> {
        self.delete_unlisted(keys::flash_sale(sale.starts_at, &sale.id), read_at).await
    }

    /// The sessions, those that began last first.
    pub async fn flash_sales(&self) -> Result<Vec<FlashSale>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(keys::FLASH_SALES))
            .scan_index_forward(false)
            .limit(MOST_READ);
        self.query(query).await?.items.unwrap_or_default().into_iter().map(from_item).collect()
    }

    /// Stores an item of a session. Returns whether it is stored; otherwise a list that was read later was faster.
    pub async fn put_sale_item(&self, sale: &SaleId, sold: &SaleItem) -> Result<bool, Error> {
        let mut item = to_item(sold)?;
        item.extend(keys::sale_item(sale, sold.item_id).primary());
        item.extend([keys::ttl(sold.expires_at)]);
        self.put_listed(item, sold.read_at).await
    }

    /// Deletes an item that a session does not have any more, unless it is from a list that was read at this time or later.
    /// Returns whether it is gone.
    pub async fn delete_sale_item(
        &self,
        sale: &SaleId,
        id: ItemId,
        read_at: Timestamp,
    ) -> Result<bool, Error> {
        self.delete_unlisted(keys::sale_item(sale, id), read_at).await
    }

    /// A page of a session's items, sorted by id, and the position after them.
    pub async fn sale_items(
        &self,
        sale: &SaleId,
        size: PageSize,
        after: Option<ItemId>,
    ) -> Result<Page<SaleItem, ItemId>, Error> {
        let query = self
            .items_of_sale(sale)
            .set_exclusive_start_key(after.map(|after| keys::sale_item(sale, after).primary()))
            .limit(i32::try_from(size.get() + 1).unwrap_or(i32::MAX));
        let sold = self.query(query).await?.items.unwrap_or_default().into_iter().map(from_item);
        let mut items = sold.collect::<Result<Vec<SaleItem>, Error>>()?;
        let has_more = items.len() > size.get();
        items.truncate(size.get());
        let next = items.last().filter(|_| has_more).map(|item| item.item_id);
        Ok(Page { items, next })
    }

    /// All items of a session, for its crawl: a read for each of them would cost ten times as much.
    pub async fn all_sale_items(&self, sale: &SaleId) -> Result<HashMap<ItemId, SaleItem>, Error> {
        let (mut items, mut start) = (HashMap::new(), None);
        loop {
            let sent = self.query(self.items_of_sale(sale).set_exclusive_start_key(start)).await?;
            for item in sent.items.unwrap_or_default() {
                let item: SaleItem = from_item(item)?;
                items.insert(item.item_id, item);
            }
            start = sent.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    fn items_of_sale(
        &self,
        sale: &SaleId,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client()
            .query()
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(keys::sale_partition(sale)))
    }

    async fn put_listed(&self, item: Item, read_at: Timestamp) -> Result<bool, Error> {
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk) OR #readAt <= :readAt")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#readAt", READ_AT)
            .expression_attribute_values(":readAt", s(read_at.to_string()));
        Ok(matches!(self.put(put).await?, Written::Done(_)))
    }

    async fn delete_unlisted(&self, key: Key, read_at: Timestamp) -> Result<bool, Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(key.primary()))
            .condition_expression("#readAt < :readAt")
            .expression_attribute_names("#readAt", READ_AT)
            .expression_attribute_values(":readAt", s(read_at.to_string()));
        Ok(!matches!(self.delete(delete).await?, Written::Refused(Some(_))))
    }
}
