//! The events of the payment provider that were processed, by their ids.

use crate::{
    engine::{
        item::{Item, number},
        table::Table,
    },
    keys,
};
use domain::{Error, Timestamp};

/// How long the id of an event is stored: as long as the provider lets one send it again.
const KEPT_SECONDS: u64 = 30 * 24 * 60 * 60;

impl Table {
    /// Whether an event was processed before.
    pub async fn is_processed(&self, event: &str, now: Timestamp) -> Result<bool, Error> {
        let stored = self.get_item(keys::webhook_event(event), false).await?;
        Ok(stored.is_some_and(|stored| number(&stored, keys::TTL) >= Some(now.unix_seconds())))
    }

    /// Records that an event was processed.
    pub async fn record_processed(&self, event: &str, now: Timestamp) -> Result<(), Error> {
        let mut item: Item = keys::webhook_event(event).primary();
        item.extend([keys::ttl(now.plus_seconds(KEPT_SECONDS))]);
        self.create_item(item).await.map(drop)
    }
}
