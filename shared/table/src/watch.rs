//! Watched items, their past prices, and who watches them.

use crate::{
    engine::{
        item::{Item, from_item, n, s, text, to_item},
        request::Written,
        table::Table,
    },
    keys::{self, GSI2, GSI2_PK, PK, SK},
};
use domain::{
    Error, Timestamp,
    id::UserId,
    observation::ItemId,
    page::{Page, PageSize},
    watched_item::{PastPrice, Slot, WatchedItem, shard_of},
};
use serde::{Deserialize, Serialize};

/// The number of writes of the item, which every write checks.
const REVISION: &str = "revision";

/// The maximum number of items that are read from one partition of due items at once.
const DUE_PAGE: i32 = 100;

/// A user's watch of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// The item.
    pub item_id: ItemId,
    /// When the user began to watch it.
    pub created_at: Timestamp,
}

/// Due items of one partition, and the position after them.
pub type DueItems = Page<WatchedItem, DuePosition>;

/// An item's prices.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceHistory {
    /// The item as it is now, on the first page.
    pub now: Option<WatchedItem>,
    /// What its page said before, newest first.
    pub past: Page<PastPrice, Timestamp>,
}

/// The position of a due item in its partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuePosition {
    host: String,
    item_id: ItemId,
}

impl Table {
    /// Stores an item that nobody has watched yet. Returns what is stored: the item that was there before, if any.
    pub async fn create_watched_item(&self, item: &WatchedItem) -> Result<WatchedItem, Error> {
        match self.create_item(item_of(item)?).await? {
            Written::Refused(Some(stored)) => from_item(stored),
            Written::Done(_) | Written::Refused(None) => Ok(item.clone()),
        }
    }

    /// An item as it is now.
    pub async fn watched_item(&self, id: ItemId) -> Result<WatchedItem, Error> {
        let item = self.get_item(keys::watched_item(id), true).await?;
        from_item(item.ok_or(Error::NotFound { what: "item" })?)
    }

    /// Replaces an item by what a look at its page found. Returns whether this or an earlier attempt wrote it; otherwise
    /// another look was faster.
    ///
    /// A price that ends is stored as a past one first. If the function dies in between, the past price is that of the
    /// item, and lists leave it out.
    pub async fn replace_watched_item(&self, seen: &WatchedItem, next: &WatchedItem) -> Result<bool, Error> {
        if let Some(past) = seen.past().filter(|past| past.since != next.since) {
            let mut item = to_item(&past)?;
            item.extend(keys::past_price(seen.item_id, past.since).primary());
            self.put(self.client().put_item().set_item(Some(item))).await?;
        }
        let put = self
            .client()
            .put_item()
            .set_item(Some(item_of(next)?))
            .condition_expression("#revision = :seen")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_values(":seen", n(seen.revision));
        match self.put(put).await? {
            Written::Done(_) => Ok(true),
            Written::Refused(Some(stored)) => Ok(from_item::<WatchedItem>(stored)? == *next),
            Written::Refused(None) => Ok(false),
        }
    }

    /// Items that are due in a slot, of the hosts of one shard, sorted by host.
    pub async fn due_items(
        &self,
        slot: Slot,
        shard: char,
        after: Option<&DuePosition>,
    ) -> Result<DueItems, Error> {
        let start = after.map(|DuePosition { host, item_id }| {
            let mut key = keys::watched_item(*item_id).primary();
            key.extend(keys::due(slot, shard, host, *item_id).gsi2());
            key
        });
        let query = self
            .client()
            .query()
            .index_name(GSI2)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", GSI2_PK)
            .expression_attribute_values(":pk", s(keys::due_partition(slot, shard)))
            .set_exclusive_start_key(start)
            .limit(DUE_PAGE);
        let sent = self.query(query).await?;
        let is_last = sent.last_evaluated_key.is_none();
        let items = sent.items.unwrap_or_default().into_iter().map(from_item);
        let items = items.collect::<Result<Vec<WatchedItem>, Error>>()?;
        let last = items.last().filter(|_| !is_last);
        let next = last.map(|item| DuePosition { host: item.host.clone(), item_id: item.item_id });
        Ok(Page { items, next })
    }

    /// The past prices of an item, newest first; the first page comes with the item as it is now.
    pub async fn price_history(
        &self,
        id: ItemId,
        size: PageSize,
        before: Option<Timestamp>,
    ) -> Result<PriceHistory, Error> {
        // The item sorts after its past prices. One more of them shows whether there is a next page, and one may be that
        // of the item.
        let end = before.map_or(keys::WATCHED_ITEM.to_owned(), |before| keys::past_price(id, before).sk);
        let range = if before.is_some() { "#pk = :pk AND #sk < :end" } else { "#pk = :pk AND #sk <= :end" };
        let query = self
            .client()
            .query()
            .key_condition_expression(range)
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::item_partition(id)))
            .expression_attribute_values(":end", s(end))
            .scan_index_forward(false)
            .limit(i32::try_from(size.get() + 3).unwrap_or(i32::MAX));
        let sent = self.query(query).await?;
        let (mut now, mut past) = (None, Vec::new());
        for item in sent.items.unwrap_or_default() {
            if text(&item, SK) == Some(keys::WATCHED_ITEM) {
                now = Some(from_item::<WatchedItem>(item)?);
            } else {
                past.push(from_item::<PastPrice>(item)?);
            }
        }
        past.retain(|past| now.as_ref().is_none_or(|now| now.since != past.since));
        let has_more = past.len() > size.get();
        past.truncate(size.get());
        let next = past.last().filter(|_| has_more).map(|past| past.since);
        Ok(PriceHistory { now, past: Page { items: past, next } })
    }

    /// Begins a user's watch of an item. Returns whether it is new; a second watch of an item changes nothing.
    pub async fn create_watch(&self, user: UserId, watch: &Watch) -> Result<bool, Error> {
        let mut item = to_item(watch)?;
        item.extend(keys::watch(user, watch.item_id).primary());
        match self.create_item(item).await? {
            Written::Done(_) => Ok(true),
            // An answer that was lost: the watch that is stored is this one.
            Written::Refused(Some(stored)) => Ok(from_item::<Watch>(stored)? == *watch),
            Written::Refused(None) => Ok(false),
        }
    }

    /// The items that a user watches, sorted by id, and the position after them.
    pub async fn watches_of(
        &self,
        user: UserId,
        size: PageSize,
        after: Option<ItemId>,
    ) -> Result<Page<Watch, ItemId>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::user_partition(user)))
            .expression_attribute_values(":prefix", s(keys::WATCH_PREFIX))
            .set_exclusive_start_key(after.map(|after| keys::watch(user, after).primary()))
            .limit(i32::try_from(size.get() + 1).unwrap_or(i32::MAX));
        let sent = self.query(query).await?;
        let watches = sent.items.unwrap_or_default().into_iter().map(from_item);
        let mut items = watches.collect::<Result<Vec<Watch>, Error>>()?;
        let has_more = items.len() > size.get();
        items.truncate(size.get());
        let next = items.last().filter(|_| has_more).map(|watch| watch.item_id);
        Ok(Page { items, next })
    }

    /// Ends a user's watch of an item. One that has ended is left as it is.
    pub async fn delete_watch(&self, user: UserId, id: ItemId) -> Result<(), Error> {
        let delete = self.client().delete_item().set_key(Some(keys::watch(user, id).primary()));
        self.delete(delete).await.map(drop)
    }
}

fn item_of(item: &WatchedItem) -> Result<Item, Error> {
    let mut stored = to_item(item)?;
    stored.extend(keys::watched_item(item.item_id).primary());
    let slot = Slot::of(item.item_id, item.pace);
    stored.extend(keys::due(slot, shard_of(&item.host), &item.host, item.item_id).gsi2());
    Ok(stored)
}
