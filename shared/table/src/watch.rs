//! Watches, and the alerts that wait for changes of watched items.
//!
//! A watch has its alerts. Each of them has an entry in the item's partition of alerts, sorted by what it waits for, so that
//! those that a change crosses are read by range. Watch and entries are written in one transaction.

use crate::{
    engine::{
        item::{Item, from_item, n, s, text, to_item},
        table::Table,
        transaction::{TRIES, Transacted, pause},
        update::ItemUpdate,
    },
    keys::{self, PK, SK},
    watched_item::{INTEREST, REVISION},
};
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::{
    Error, Timestamp,
    alert::{Alert, AlertKind, SetAlert, TriggerRange},
    id::UserId,
    observation::ItemId,
    page::{Page, PageSize},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of writes of a watch, which every write checks.
const VERSION: &str = "version";

/// A user's watch of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// The item.
    pub item_id: ItemId,
    /// When the user began to watch it.
    pub created_at: Timestamp,
    /// What the user wants to be told.
    pub alerts: Vec<SetAlert>,
    /// Incremented by each write.
    pub version: u64,
}

/// The entry of an alert that waits for a change of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingAlert {
    /// Whose it is.
    pub user_id: UserId,
    /// Its kind.
    pub kind: AlertKind,
    /// Since when the page had said what it said when the alert was set.
    pub seen: Timestamp,
}

/// The position of an entry among those of its item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertPosition(String);

impl Watch {
    /// A new watch.
    pub fn new(item_id: ItemId, alerts: Vec<SetAlert>, now: Timestamp) -> Self {
        Self { item_id, created_at: now, alerts, version: 1 }
    }

    /// What the user wants to be told.
    pub fn wanted(&self) -> Vec<Alert> {
        self.alerts.iter().map(|set| set.alert).collect()
    }

    /// The watch with other alerts.
    #[must_use]
    pub fn with_alerts(&self, alerts: Vec<SetAlert>) -> Self {
        Self { alerts, version: self.version + 1, ..self.clone() }
    }

    /// The entries of its alerts, by sort key. Two alerts may have the same: then the one that was set first counts.
    fn entries(&self, user: UserId) -> BTreeMap<String, WaitingAlert> {
        let mut entries = BTreeMap::new();
        for set in &self.alerts {
            let kind = set.alert.kind();
            let key = keys::alerts::alert(self.item_id, set.trigger(), user, kind);
            entries.entry(key.sk).or_insert(WaitingAlert { user_id: user, kind, seen: set.seen });
        }
        entries
    }
}

impl Table {
    /// Begins a user's watch of an item, which exists. Returns the watch that is stored: an item that is watched already is
    /// not watched again. Afterwards, the item is to be made one that is watched, if it is not.
    pub async fn create_watch(&self, user: UserId, watch: &Watch) -> Result<Watch, Error> {
        let watcher = keys::watcher(watch.item_id, user).primary();
        let mut writes = vec![self.put_if_absent(item_of(user, watch)?)?, self.put_always(watcher)?];
        writes.extend(self.changed_entries(user, None, Some(watch))?);
        match self.transact(writes).await? {
            Transacted::Refused(_, Some(stored)) => from_item(stored),
            Transacted::Done | Transacted::Refused(_, None) => Ok(watch.clone()),
        }
    }

    /// A user's watch of an item.
    pub async fn watch(&self, user: UserId, id: ItemId) -> Result<Watch, Error> {
        let item = self.get_item(keys::watch(user, id), true).await?;
        from_item(item.ok_or(Error::NotFound { what: "watched item" })?)
    }

    /// Replaces the alerts of a watch. Returns whether this or an earlier attempt wrote it; otherwise another change was
    /// faster, or the watch has ended.
    pub async fn replace_watch(&self, user: UserId, seen: &Watch, next: &Watch) -> Result<bool, Error> {
        let put = self.put_if(item_of(user, next)?, UNCHANGED, &[VERSION], unchanged(seen))?;
        let mut writes = vec![put];
        writes.extend(self.changed_entries(user, Some(seen), Some(next))?);
        match self.transact(writes).await? {
            Transacted::Done => Ok(true),
            Transacted::Refused(_, Some(stored)) => Ok(from_item::<Watch>(stored)? == *next),
            Transacted::Refused(_, None) => Ok(false),
        }
    }

    /// Ends a user's watch of an item, with its alerts, and makes it doubtful whether anybody watches the item. One that has
    /// ended is left as it is.
    pub async fn delete_watch(&self, user: UserId, id: ItemId) -> Result<(), Error> {
        for attempt in 1..=TRIES {
            let watch = match self.watch(user, id).await {
                Err(Error::NotFound { .. }) => return Ok(()),
                watch => watch?,
            };
            let doubted = ItemUpdate {
                key: keys::watched_item(id),
                update: "SET #interest = :doubtful, #revision = #revision + :one",
                condition: "attribute_exists(#revision)",
                names: &[INTEREST, REVISION],
                values: vec![("doubtful", s("doubtful")), ("one", n(1))],
            };
            let mut writes = vec![
                self.delete_if(keys::watch(user, id), UNCHANGED, &[VERSION], unchanged(&watch))?,
                self.delete_always(keys::watcher(id, user))?,
                self.update_if(doubted)?,
            ];
            writes.extend(self.changed_entries(user, Some(&watch), None)?);
            // Refused: the watch was changed meanwhile.
            if matches!(self.transact(writes).await?, Transacted::Done) {
                return Ok(());
            }
            tokio::time::sleep(pause(attempt)?).await;
        }
        Err(Error::unavailable("other changes of the watch always came first"))
    }

    /// Whether anybody watches an item.
    pub async fn has_watchers(&self, id: ItemId) -> Result<bool, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::item_partition(id)))
            .expression_attribute_values(":prefix", s(keys::WATCHER_PREFIX))
            .consistent_read(true)
            .limit(1);
        Ok(self.query(query).await?.items.is_some_and(|items| !items.is_empty()))
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
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(keys::watch_partition(user)))
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

    /// The alerts of an item that a change crosses, and the position after them. Strongly consistent: an alert that was
    /// stored before is not missed.
    pub async fn crossed_alerts(
        &self,
        id: ItemId,
        range: &TriggerRange,
        size: PageSize,
        after: Option<&AlertPosition>,
    ) -> Result<Page<WaitingAlert, AlertPosition>, Error> {
        let (first, last) = keys::alerts::alert_range(range);
        // DynamoDB refuses an empty range.
        if first > last {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let first = after.map_or(first, |AlertPosition(after)| format!("{after}#"));
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::alerts::alert_partition(id)))
            .expression_attribute_values(":first", s(first))
            .expression_attribute_values(":last", s(last))
            .consistent_read(true)
            .limit(i32::try_from(size.get()).unwrap_or(i32::MAX));
        let sent = self.query(query).await?;
        let next = sent.last_evaluated_key.as_ref().and_then(|key| text(key, SK));
        let next = next.map(|sk| AlertPosition(sk.to_owned()));
        let items = sent.items.unwrap_or_default().into_iter().map(from_item);
        Ok(Page { items: items.collect::<Result<_, Error>>()?, next })
    }

    /// The writes that lead from the entries of one state of a watch to those of the next.
    fn changed_entries(
        &self,
        user: UserId,
        seen: Option<&Watch>,
        next: Option<&Watch>,
    ) -> Result<Vec<TransactWriteItem>, Error> {
        let Some(id) = seen.or(next).map(|watch| watch.item_id) else { return Ok(Vec::new()) };
        let of = |watch: Option<&Watch>| watch.map(|watch| watch.entries(user)).unwrap_or_default();
        let (old, new) = (of(seen), of(next));
        let key = |sk: &String| keys::Key { pk: keys::alerts::alert_partition(id), sk: sk.clone() };
        let gone = old.keys().filter(|sk| !new.contains_key(*sk));
        let mut writes = gone.map(|sk| self.delete_always(key(sk))).collect::<Result<Vec<_>, Error>>()?;
        for (sk, entry) in new.iter().filter(|(sk, entry)| old.get(*sk) != Some(entry)) {
            let mut item = to_item(entry)?;
            item.extend(key(sk).primary());
            writes.push(self.put_always(item)?);
        }
        Ok(writes)
    }
}

const UNCHANGED: &str = "#version = :seen";

fn unchanged(seen: &Watch) -> Vec<(&'static str, AttributeValue)> {
    vec![("seen", n(seen.version))]
}

fn item_of(user: UserId, watch: &Watch) -> Result<Item, Error> {
    let mut item = to_item(watch)?;
    item.extend(keys::watch(user, watch.item_id).primary());
    Ok(item)
}
