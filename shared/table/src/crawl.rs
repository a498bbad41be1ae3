//! The state of crawls: which items are due, when they were looked at, and which hosts are left alone.

use crate::{
    engine::{
        item::{from_item, s, text, to_item},
        table::Table,
    },
    keys::{self, GSI2, GSI2_PK, GSI2_SK, PK, SK},
};
use domain::{
    Error, Timestamp,
    back_off::BackOff,
    observation::ItemId,
    page::Page,
    watched_item::{DueList, Slot, WatchedItem, shard_of},
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// The maximum number of items that are read from a list of due items at once.
const DUE_PAGE: i32 = 100;

/// How long the back-off of a host is kept after it could be asked again: its next failure waits longer than the first.
const HOST_KEPT_SECONDS: u64 = 24 * 60 * 60;

/// Due items, and the position after them.
pub type DueItems = Page<WatchedItem, DuePosition>;

/// A position in a list of due items, which are sorted by slot and host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DuePosition {
    slot: u64,
    host: String,
    /// `None` after all items of the host in this slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item_id: Option<ItemId>,
}

impl DuePosition {
    /// The position of an item.
    pub fn of(item: &WatchedItem) -> Self {
        let slot = Slot::of(item.item_id, item.pace).number;
        Self { slot, host: item.host.clone(), item_id: Some(item.item_id) }
    }

    /// The position after all items of the host in this slot.
    #[must_use]
    pub fn after_host(self) -> Self {
        Self { item_id: None, ..self }
    }

    /// Less than the sort keys of all items after it.
    fn end(&self) -> String {
        let host = keys::due_of_host(self.slot, &self.host);
        // A space sorts before all characters of keys.
        self.item_id.map_or_else(|| keys::after_all(&host), |id| format!("{host}{id} "))
    }
}

/// Until when items of a list were looked at.
#[derive(Serialize, Deserialize)]
struct CrawlRun {
    at: Timestamp,
}

impl Table {
    /// Items of a list of due items after a position, sorted by slot and host. With `host_alone`, only those of the
    /// position's host and slot.
    pub async fn due_items(
        &self,
        list: DueList,
        after: Option<&DuePosition>,
        host_alone: bool,
    ) -> Result<DueItems, Error> {
        let slot = list.slot.map(keys::due_of_slot).unwrap_or_default();
        let from = after.map_or_else(|| slot.clone(), DuePosition::end);
        let alone = after.filter(|_| host_alone).cloned().map(DuePosition::after_host);
        let to = alone.map_or_else(|| keys::after_all(&slot), |host| host.end());
        let query = self
            .client()
            .query()
            .index_name(GSI2)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
            .expression_attribute_names("#pk", GSI2_PK)
            .expression_attribute_names("#sk", GSI2_SK)
            .expression_attribute_values(":pk", s(keys::due_partition(list.pace, list.shard)))
            .expression_attribute_values(":from", s(if from.is_empty() { "0".to_owned() } else { from }))
            .expression_attribute_values(":to", s(to))
            .limit(DUE_PAGE);
        let sent = self.query(query).await?;
        let is_last = sent.last_evaluated_key.is_none();
        let items = sent.items.unwrap_or_default().into_iter().map(from_item);
        let items = items.collect::<Result<Vec<WatchedItem>, Error>>()?;
        let next = items.last().filter(|_| !is_last).map(DuePosition::of);
        Ok(Page { items, next })
    }

    /// Records that all items of these lists were looked at.
    pub async fn record_looks(&self, lists: &[DueList], at: Timestamp) -> Result<(), Error> {
        let runs = lists.iter().map(|&DueList { pace, slot, shard }| {
            keys::crawl_run(slot.map(|number| Slot { pace, number }), shard)
        });
        let mut recorded = HashSet::new();
        let mut items = Vec::new();
        // All slots of a shard are one record.
        for key in runs.filter(|key| recorded.insert(key.clone())) {
            let mut item = to_item(&CrawlRun { at })?;
            item.extend(key.primary());
            items.push(item);
        }
        self.batch_put(items).await
    }

    /// When each of these items was looked at last, as far as it is recorded.
    pub async fn last_looks(&self, items: &[WatchedItem]) -> Result<HashMap<ItemId, Timestamp>, Error> {
        let runs = |item: &WatchedItem| {
            let shard = shard_of(&item.host);
            [Some(Slot::of(item.item_id, item.pace)), None].map(|slot| keys::crawl_run(slot, shard))
        };
        let wanted: HashSet<keys::Key> = items.iter().flat_map(runs).collect();
        let mut found = HashMap::new();
        for item in self.batch_get(wanted.into_iter().collect(), false).await? {
            let key = [PK, SK].map(|name| text(&item, name).map(str::to_owned));
            found.insert(key, from_item::<CrawlRun>(item)?.at);
        }
        let last = |item: &WatchedItem| {
            let runs = runs(item).into_iter();
            let at = runs.filter_map(|key| found.get(&[Some(key.pk), Some(key.sk)]).copied()).max()?;
            Some((item.item_id, at))
        };
        Ok(items.iter().filter_map(last).collect())
    }

    /// The back-off of a host.
    pub async fn back_off(&self, host: &str) -> Result<BackOff, Error> {
        let item = self.get_item(keys::host(host), false).await?;
        item.map_or(Ok(BackOff::default()), from_item)
    }

    /// Replaces the back-off of a host. Of two workers, the last one counts.
    pub async fn set_back_off(&self, host: &str, back_off: &BackOff) -> Result<(), Error> {
        let Some(until) = back_off.not_before() else {
            let delete = self.client().delete_item().set_key(Some(keys::host(host).primary()));
            return self.delete(delete).await.map(drop);
        };
        let mut item = to_item(back_off)?;
        item.extend(keys::host(host).primary());
        item.extend([keys::ttl(until.plus_seconds(HOST_KEPT_SECONDS))]);
        self.put(self.client().put_item().set_item(Some(item))).await.map(drop)
    }
}
