//! Who watches which items.

use crate::{
    engine::{
        item::{from_item, n, s, to_item},
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys::{self, PK, SK},
    watched_item::{INTEREST, REVISION},
};
use domain::{
    Error, Timestamp,
    id::UserId,
    observation::ItemId,
    page::{Page, PageSize},
};
use serde::{Deserialize, Serialize};

/// A user's watch of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// The item.
    pub item_id: ItemId,
    /// When the user began to watch it.
    pub created_at: Timestamp,
}

impl Table {
    /// Begins a user's watch of an item, which exists. Returns whether it is new; a second watch of an item changes nothing.
    /// Afterwards, the item is to be made one that is watched, if it is not.
    pub async fn create_watch(&self, user: UserId, watch: &Watch) -> Result<bool, Error> {
        let mut item = to_item(watch)?;
        item.extend(keys::watch(user, watch.item_id).primary());
        let watcher = keys::watcher(watch.item_id, user).primary();
        match self.transact(vec![self.put_if_absent(item)?, self.put_always(watcher)?]).await? {
            Transacted::Done => Ok(true),
            // An answer that was lost: the watch that is stored is this one.
            Transacted::Refused(_, Some(stored)) => Ok(from_item::<Watch>(stored)? == *watch),
            Transacted::Refused(_, None) => Ok(false),
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

    /// Ends a user's watch of an item, and makes it doubtful whether anybody watches the item. One that has ended is left as
    /// it is.
    pub async fn delete_watch(&self, user: UserId, id: ItemId) -> Result<(), Error> {
        let doubted = ItemUpdate {
            key: keys::watched_item(id),
            update: "SET #interest = :doubtful, #revision = #revision + :one",
            condition: "attribute_exists(#revision)",
            names: &[INTEREST, REVISION],
            values: vec![("doubtful", s("doubtful")), ("one", n(1))],
        };
        let ended = self.transact(vec![
            self.delete_if(keys::watch(user, id), "attribute_exists(#pk)", &[PK], vec![])?,
            self.delete_always(keys::watcher(id, user))?,
            self.update_if(doubted)?,
        ]);
        // Refused: there is no such watch.
        ended.await.map(drop)
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
}
