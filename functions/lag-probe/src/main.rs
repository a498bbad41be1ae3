//! On a schedule: sends an event of its own through all that events pass through, and reports how late it is.

use app::{clickhouse::ClickHouse, table::Table};
use domain::{Error, probe::Probe};
use serde_json::Value;

app::clients! { table: Table, clickhouse: ClickHouse }

fn main() -> runtime::Exit {
    runtime::step(probe)
}

/// The lag is reported whether or not ClickHouse answers: without an answer, the probe has not arrived.
async fn probe(app: &App, _: Value) -> Result<(), Error> {
    let now = app.now();
    let sends = match app.table.probe().await? {
        None => true,
        Some(sent) => {
            let report = sent.report(has_arrived(app, &sent).await, now);
            app.report_event_lag(report.lag_ms, now);
            report.sends
        }
    };
    if sends {
        let id = uuid::Builder::from_random_bytes(app.random()?).into_uuid();
        app.table.send_probe(&Probe { id, at: now }).await?;
    }
    Ok(())
}

async fn has_arrived(app: &App, sent: &Probe) -> bool {
    let arrived = async { app.clickhouse.events().await?.has_probe(sent).await };
    arrived.await.unwrap_or(false)
}
