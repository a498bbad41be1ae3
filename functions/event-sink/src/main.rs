//! Kafka topic: stores the events in ClickHouse, many in one insert.

use app::{
    clickhouse::ClickHouse,
    dead_letters::{DeadLetters, EventSink},
};
use domain::{Error, event_record::EventRecord};
use runtime::UnreadableRecord;

app::clients! { clickhouse: ClickHouse, dead_letters: DeadLetters<EventSink> }

fn main() -> runtime::Exit {
    runtime::consume_topic(store, give_up)
}

/// A batch that comes again is stored again: its rows replace those of the first time.
async fn store(app: &App, events: Vec<EventRecord>) -> Result<(), Error> {
    app.clickhouse.events().await?.store(&events).await
}

async fn give_up(app: &App, record: UnreadableRecord) -> Result<(), Error> {
    app.dead_letters.send(&record).await
}
