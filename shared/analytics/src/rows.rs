//! Rows of the table `events`.

use crate::{EventStore, failed};
use clickhouse::Row;
use domain::{
    Error,
    currency::Currency,
    event_record::{EventKind, EventRecord},
};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

const TABLE: &str = "events";

/// How long ClickHouse may take to receive a part of the rows, and to store all of them.
const SEND_TIME: Duration = Duration::from_secs(10);
const END_TIME: Duration = Duration::from_secs(30);

/// How rows are inserted. The answer comes when they are stored, not when they are queued for it. A block that was inserted
/// before is inserted again: where a table is replicated, ClickHouse would leave it out, and with it what a view lacks of it.
const SETTINGS: [(&str, &str); 2] = [("async_insert", "0"), ("insert_deduplicate", "0")];

/// A row. The type of each column is checked against the table's.
#[derive(Row, Serialize)]
struct EventRow<'a> {
    experiment: &'a str,
    variant: &'a str,
    visitor: &'a str,
    kind: i8,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    event: &'a str,
    user: String,
    product: &'a str,
    order: String,
    quantity: Option<i64>,
    amount: Option<i64>,
    currency: &'a str,
    bot: bool,
    /// Milliseconds since 1970.
    at: i64,
    received_at: i64,
    properties: String,
}

impl EventStore {
    /// Stores these events. One that is stored already changes nothing. `Unavailable` if it is not certain that all are
    /// stored: then they have to be stored again.
    pub async fn store(&self, events: &[EventRecord]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let rows = events.iter().map(EventRow::of).collect::<Result<Vec<_>, _>>()?;
        self.insert(&rows).await.map_err(|error| failed(&error))
    }

    async fn insert(&self, rows: &[EventRow<'_>]) -> Result<(), clickhouse::error::Error> {
        // The first insert asks for the types of the columns.
        let insert = tokio::time::timeout(SEND_TIME, self.client.insert::<EventRow<'_>>(TABLE)).await;
        let insert = insert.map_err(|_| clickhouse::error::Error::TimedOut)??;
        let mut insert = insert.with_timeouts(Some(SEND_TIME), Some(END_TIME));
        for (name, value) in SETTINGS {
            insert = insert.with_setting(name, value);
        }
        for row in rows {
            insert.write(row).await?;
        }
        insert.end().await
    }
}

impl<'a> EventRow<'a> {
    fn of(event: &'a EventRecord) -> Result<Self, Error> {
        let properties = serde_json::to_string(&event.properties)
            .map_err(|error| Error::internal(format!("properties cannot be serialized: {error}")))?;
        Ok(Self {
            experiment: event.experiment.as_deref().unwrap_or_default(),
            variant: event.variant.as_deref().unwrap_or_default(),
            visitor: &event.visitor,
            kind: number(event.kind),
            id: event.id,
            event: &event.event,
            user: event.user.map(|user| user.to_string()).unwrap_or_default(),
            product: event.product.as_deref().unwrap_or_default(),
            order: event.order.map(|order| order.to_string()).unwrap_or_default(),
            quantity: event.quantity,
            amount: event.amount,
            currency: event.currency.as_ref().map(Currency::code).unwrap_or_default(),
            bot: event.bot,
            at: event.at.unix_milliseconds().cast_signed(),
            received_at: event.received_at.unix_milliseconds().cast_signed(),
            properties,
        })
    }
}

/// The number of a kind in the table's enumeration.
fn number(kind: EventKind) -> i8 {
    match kind {
        EventKind::Event => 1,
        EventKind::Exposure => 2,
        EventKind::Purchase => 3,
        EventKind::Cancellation => 4,
        EventKind::Probe => 5,
    }
}
