//! The events of the payment provider that were processed, by their ids, and how far the list of them was read.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        table::Table,
    },
    keys::{self, PK},
};
use domain::{Error, Timestamp, payment_events::EventPeriod};

/// How long the id of an event is stored: as long as the provider lets one send it again.
const KEPT_SECONDS: u64 = 30 * 24 * 60 * 60;

/// In seconds since 1970.
const FROM: &str = "from";
/// In seconds since 1970.
const UNTIL: &str = "until";
const AFTER: &str = "after";

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

    /// How far the list of events was read; `None` before the first time.
    pub async fn event_period(&self) -> Result<Option<EventPeriod>, Error> {
        let stored = self.get_item(keys::event_period(), false).await?;
        Ok(stored.and_then(|stored| {
            let time = |name| Some(Timestamp::from_unix_milliseconds(number(&stored, name)? * 1000));
            let after = text(&stored, AFTER).map(str::to_owned);
            Some(EventPeriod { from: time(FROM)?, until: time(UNTIL)?, after })
        }))
    }

    /// Stores how far the list of events was read, unless a later period is stored.
    pub async fn keep_event_period(&self, period: &EventPeriod) -> Result<(), Error> {
        let mut item: Item = keys::event_period().primary();
        let times = [(FROM, period.from), (UNTIL, period.until)];
        item.extend(times.map(|(name, time)| (name.to_owned(), n(time.unix_seconds()))));
        item.extend(period.after.iter().map(|after| (AFTER.to_owned(), s(after))));
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk) OR #from <= :from")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#from", FROM)
            .expression_attribute_values(":from", n(period.from.unix_seconds()));
        self.put(put).await.map(drop)
    }
}
