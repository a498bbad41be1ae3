//! Keys of the price watch.

use super::Key;
use domain::{
    Timestamp,
    flash_sale::SaleId,
    id::UserId,
    observation::ItemId,
    watched_item::{Pace, Slot},
};

/// The partition of a watched item.
pub fn item_partition(id: ItemId) -> String {
    format!("ITEM#{id}")
}

/// The sort key of a watched item: it sorts after its past prices.
pub const WATCHED_ITEM: &str = "STATE";

/// A watched item, as it is now.
pub fn watched_item(id: ItemId) -> Key {
    Key::new(item_partition(id), WATCHED_ITEM)
}

/// What the page of a watched item said from this time on.
pub fn past_price(id: ItemId, since: Timestamp) -> Key {
    Key::new(item_partition(id), format!("PRICE#{since}"))
}

/// The partition of the items of a pace and of the hosts of one shard, in the second index, sorted by slot and host.
pub fn due_partition(pace: Pace, shard: char) -> String {
    format!("DUE#{}#{shard}", pace.code())
}

/// A watched item in the second index, under the slot in which it is due.
pub fn due(slot: Slot, shard: char, host: &str, id: ItemId) -> Key {
    Key::new(due_partition(slot.pace, shard), format!("{}{id}", due_of_host(slot.number, host)))
}

/// Prefix of the sort keys of the items of a slot.
pub fn due_of_slot(slot: u64) -> String {
    format!("{slot:02}#")
}

/// Prefix of the sort keys of a host's items in a slot.
pub fn due_of_host(slot: u64, host: &str) -> String {
    format!("{}{host}#", due_of_slot(slot))
}

/// Sorts after all sort keys that begin with this prefix.
pub fn after_all(prefix: &str) -> String {
    format!("{prefix}~")
}

/// When the items of a slot were looked at, or all items at once.
pub fn crawl_run(slot: Option<Slot>, shard: char) -> Key {
    let pk =
        slot.map_or("CRAWL#ALL".to_owned(), |slot| format!("CRAWL#{}#{}", slot.pace.code(), slot.number));
    Key::new(pk, shard)
}

/// The back-off of a host.
pub fn host(host: &str) -> Key {
    Key::new(format!("HOST#{host}"), "STATE")
}

/// Prefix of the sort keys of an item's watchers: they sort after the item.
pub const WATCHER_PREFIX: &str = "WATCHER#";

/// The entry of a user who watches an item.
pub fn watcher(id: ItemId, user: UserId) -> Key {
    Key::new(item_partition(id), format!("{WATCHER_PREFIX}{user}"))
}

/// The partition of a user's watches. It is not the user's own partition, so that roles which write watches cannot write a
/// profile.
pub fn watch_partition(user: UserId) -> String {
    format!("WATCHES#{user}")
}

/// A user's watch of an item.
pub fn watch(user: UserId, id: ItemId) -> Key {
    Key::new(watch_partition(user), id.to_string())
}

/// The partition of the sessions of flash sales.
pub const FLASH_SALES: &str = "FLASHSALE";

/// A session of a flash sale.
pub fn flash_sale(starts_at: Timestamp, id: &SaleId) -> Key {
    Key::new(FLASH_SALES, format!("{starts_at}#{id}"))
}

/// The partition of the items of a session.
pub fn sale_partition(id: &SaleId) -> String {
    format!("{FLASH_SALES}#{id}")
}

/// An item of a session.
pub fn sale_item(id: &SaleId, item: ItemId) -> Key {
    Key::new(sale_partition(id), format!("ITEM#{item}"))
}
