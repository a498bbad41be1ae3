//! On a schedule: sends a probe, an event of our own, the way of visitors' events, and reports how late it arrives in ClickHouse.

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
    let last = app.table.probe().await?;
    let sends = match &last {
        None => true,
        Some(sent) => {
            let report = sent.report(has_arrived(app, sent).await, now);
            app.report_event_lag(report.lag_ms, now);
            report.sends
        }
    };
    if sends {
        let random = uuid::Builder::from_random_bytes(app.random()?).into_uuid();
        app.table.send_probe(&Probe::after(last.as_ref(), random, now)).await?;
    }
    Ok(())
}

async fn has_arrived(app: &App, sent: &Probe) -> bool {
    let arrived = async { app.clickhouse.events().await?.has_probe(sent).await };
    arrived.await.unwrap_or(false)
}
