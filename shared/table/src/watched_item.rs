//! Watched items and their past prices.

use crate::{
    engine::{
        item::{Item, from_item, n, s, text, to_item},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
};
use domain::{
    Error, Timestamp,
    observation::ItemId,
    page::{Page, PageSize},
    watched_item::{Interest, PastPrice, Slot, WatchedItem, shard_of},
};

/// The number of writes of the item, which every write checks.
pub(crate) const REVISION: &str = "revision";

/// Whether anybody watches the item.
pub(crate) const INTEREST: &str = "interest";

/// The maximum number of past prices that are read at once for a summary. Most items have fewer.
const PAST_PAGE: i32 = 50;

/// An item's prices.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceHistory {
    /// The item as it is now, on the first page.
    pub now: Option<WatchedItem>,
    /// What its page said before, newest first.
    pub past: Page<PastPrice, Timestamp>,
}

impl Table {
    /// Stores a new item. Returns what is stored: the item that was there before, if any.
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

    /// Those of these items that exist, in no particular order.
    pub async fn watched_items(&self, ids: &[ItemId]) -> Result<Vec<WatchedItem>, Error> {
        let keys = ids.iter().copied().map(keys::watched_item).collect();
        self.batch_get(keys, false).await?.into_iter().map(from_item).collect()
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

    /// The past price of an item that began at this time, if there is one.
    pub async fn past_price(&self, id: ItemId, since: Timestamp) -> Result<Option<PastPrice>, Error> {
        self.get_item(keys::past_price(id, since), true).await?.map(from_item).transpose()
    }

    /// The past prices of an item, newest first; the first page comes with the item as it is now, which counts as one.
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
        let (room, current) = (size.get() - usize::from(now.is_some()), now.as_ref().map(|now| now.since));
        let has_more = past.len() > room;
        past.truncate(room);
        // A page that the item fills goes on before the item's own time.
        let next = past.last().map(|past| past.since).or(current).filter(|_| has_more);
        Ok(PriceHistory { now, past: Page { items: past, next } })
    }

    /// The past prices of an item since a time, and the one that held then, newest first. At most one is stored in 15
    /// minutes.
    pub async fn recent_prices(&self, id: ItemId, since: Timestamp) -> Result<Vec<PastPrice>, Error> {
        let (mut past, mut start) = (Vec::<PastPrice>::new(), None);
        loop {
            let query = self
                .client()
                .query()
                .key_condition_expression("#pk = :pk AND #sk < :item")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", s(keys::item_partition(id)))
                .expression_attribute_values(":item", s(keys::WATCHED_ITEM))
                .scan_index_forward(false)
                .set_exclusive_start_key(start)
                // The first page is small; a restless item's others are as large as they can be.
                .set_limit(past.is_empty().then_some(PAST_PAGE));
            let sent = self.query(query).await?;
            let found = sent.items.unwrap_or_default().into_iter().map(from_item);
            past.extend(found.collect::<Result<Vec<PastPrice>, Error>>()?);
            start = sent.last_evaluated_key;
            if let Some(held) = past.iter().position(|past| past.since <= since) {
                past.truncate(held + 1);
                return Ok(past);
            }
            if start.is_none() {
                return Ok(past);
            }
        }
    }
}

/// An item that nobody watches is in no list of due items.
fn item_of(item: &WatchedItem) -> Result<Item, Error> {
    let mut stored = to_item(item)?;
    stored.extend(keys::watched_item(item.item_id).primary());
    if item.interest != Interest::Unwatched {
        let slot = Slot::of(item.item_id, item.pace);
        stored.extend(keys::due(slot, shard_of(&item.host), &item.host, item.item_id).gsi2());
    }
    Ok(stored)
}
