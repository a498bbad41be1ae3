//! On a schedule: finishes orders whose execution was never started, was stopped or has failed.

use app::{
    machines::{Machines, OrderCancel, OrderPlace},
    settlement::{Attempt, Settlement},
    sweep::SweepAfter,
    table::Table,
};
use domain::{Error, Timestamp, id::OrderId, order::OrderStatus};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use table::{SweepPosition, UnsettledOrder};

/// The maximum number of orders that are processed concurrently.
const CONCURRENCY: usize = 8;

/// How long a sweep begins to settle orders; it ends within the function's timeout. The next sweep continues.
const BUDGET_SECONDS: u64 = 75;

/// The event of the schedule, or of an operator.
#[derive(Deserialize)]
pub struct Input {
    /// Orders that were left to a person and are to be tried again.
    #[serde(default)]
    retry: Vec<OrderId>,
}

/// The numbers of unsettled orders that are older than `SWEEP_AFTER_SECONDS`.
#[derive(Serialize, Default, Debug, PartialEq)]
pub struct Output {
    /// All of them, unless the time did not suffice.
    pub found: usize,
    /// Those that were settled.
    pub settled: usize,
    /// Those that could not be settled; they are tried again later.
    pub failed: usize,
    /// Those that are left to a person.
    pub stuck: usize,
}

app::clients! {
    table: Table,
    placements: Machines<OrderPlace>,
    cancellations: Machines<OrderCancel>,
    settlement: Settlement,
    sweep_after: SweepAfter,
}

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

/// Settles all unsettled orders that are due. An order that cannot be settled does not keep the others from it.
pub async fn sweep(app: &App, Input { retry }: Input) -> Result<Output, Error> {
    for id in retry {
        app.table.retry_unsettled(id).await?;
    }
    let (before, end) = (app.sweep_after.before(app.now()), app.now().plus_seconds(BUDGET_SECONDS));
    let (mut output, mut position) = (Output::default(), SweepPosition::start());
    while !position.is_end() && app.now() < end {
        let (found, next) = app.table.unsettled_orders(before, &position).await?;
        position = next;
        output.found += found.len();
        output.stuck += found.iter().filter(|order| order.stuck.is_some()).count();
        let due = found.into_iter().filter(|order| order.is_due(app.now()));
        let attempts = stream::iter(due).map(|order| attempt(app, order, end));
        for attempt in attempts.buffer_unordered(CONCURRENCY).try_collect::<Vec<_>>().await? {
            match attempt {
                Attempt::Left => {}
                Attempt::Settled => output.settled += 1,
                Attempt::Failed => output.failed += 1,
                Attempt::GivenUp => output.stuck += 1,
            }
        }
    }
    Ok(output)
}

async fn attempt(app: &App, order: UnsettledOrder, end: Timestamp) -> Result<Attempt, Error> {
    if app.now() >= end {
        return Ok(Attempt::Left);
    }
    match settle(app, &order).await {
        Ok(attempt) => Ok(attempt),
        Err(error) => app.settlement.count_failure(&order, &error, app.now()).await,
    }
}

/// Settles an order unless its execution is still running.
async fn settle(app: &App, order: &UnsettledOrder) -> Result<Attempt, Error> {
    let placed = app.table.order(order.customer_id, order.order_id).await?;
    let name = order.order_id.to_string();
    let running = match placed.order.status {
        OrderStatus::Cancelled => app.cancellations.is_running(&name).await?,
        _ => app.placements.is_running(&name).await?,
    };
    if running { Ok(Attempt::Left) } else { app.settlement.settle(&placed, order.epoch, app.now()).await }
}
