//! On a schedule: reads the payment provider's list of events, and processes those that no webhook has brought.

use app::{payment_events::PaymentEvents, payments::PaymentProvider, sweep::SweepAfter, table::Table};
use domain::{Error, payment_events::EventPeriod};
use futures::{StreamExt, stream};
use payments::{EventPage, Payments};
use serde::{Serialize, de::IgnoredAny};

/// The maximum number of events that are processed concurrently.
const CONCURRENCY: usize = 8;

/// How long a poll begins pages; it ends within the function's timeout. The next poll continues.
const BUDGET_SECONDS: u64 = 60;

/// The numbers of events of the periods that were read.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
pub(crate) struct Polled {
    /// All of them.
    pub listed: usize,
    /// Those that were not processed before.
    pub processed: usize,
}

app::clients! {
    table: Table,
    payments: PaymentProvider,
    events: PaymentEvents,
    old_enough: SweepAfter,
}

fn main() -> runtime::Exit {
    runtime::step(poll)
}

/// Processes the events since the last poll. The youngest are left to the webhook, and to the next poll: the list may
/// show an event a moment after later ones.
pub(crate) async fn poll(app: &App, _schedule: IgnoredAny) -> Result<Polled, Error> {
    let now = app.now();
    let (until, end) = (app.old_enough.before(now), now.plus_seconds(BUDGET_SECONDS));
    let payments = app.payments.client().await?;
    if !payments.has_key() {
        return Ok(Polled::default());
    }
    let stored = app.table.event_period().await?;
    let mut period = stored.unwrap_or_else(|| EventPeriod::first(until)).go_on(until);
    let (mut polled, mut failure) = (Polled::default(), None);
    while !period.is_read() && app.now() < end {
        let EventPage { events, last } = payments.events(&period).await?;
        polled.listed += events.len();
        let mut results =
            stream::iter(&events).map(|event| app.events.process(event)).buffer_unordered(CONCURRENCY);
        while let Some(result) = results.next().await {
            match result {
                Ok(is_new) => polled.processed += usize::from(is_new),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        period = period.after_page(last);
        // An event that fails does not keep the poll from later ones, but each poll begins with it until it succeeds.
        if failure.is_none() {
            app.table.keep_event_period(&period).await?;
        }
        period = period.go_on(until);
    }
    failure.map_or(Ok(polled), Err)
}
