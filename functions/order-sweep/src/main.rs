//! On a schedule: finishes orders whose execution was never started, was stopped or has failed.

use app::{
    machines::{Machines, OrderCancel, OrderPlace},
    settlement::{Capture, Cause, Undo, Undone},
    sweep::SweepAfter,
    table::Table,
};
use domain::{Error, order::OrderStatus, rejection::Reason, saga::FailedStep};
use futures::{StreamExt, stream};
use serde::Serialize;
use table::UnsettledOrder;

/// The maximum number of orders that are processed concurrently.
const CONCURRENCY: usize = 8;

#[derive(Serialize, Default)]
struct Output {
    /// Unsettled orders that are older than `SWEEP_AFTER_SECONDS`.
    found: usize,
    /// Those that were settled.
    settled: usize,
}

app::clients! {
    table: Table,
    placements: Machines<OrderPlace>,
    cancellations: Machines<OrderCancel>,
    capture: Capture,
    undo: Undo,
    sweep_after: SweepAfter,
}

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

async fn sweep(app: &App, _schedule: serde::de::IgnoredAny) -> Result<Output, Error> {
    let orders = app.table.unsettled_orders(app.sweep_after.before(app.now())).await?;
    let found = orders.len();
    let done: Vec<_> =
        stream::iter(orders).map(|order| settle(app, order)).buffer_unordered(CONCURRENCY).collect().await;
    // A failure does not stop the other orders; the next sweep retries the order.
    let failed = done.iter().find_map(|done| done.as_ref().err()).cloned();
    let settled = done.into_iter().flatten().filter(|settled| *settled).count();
    failed.map_or(Ok(Output { found, settled }), Err)
}

/// Settles an order unless its execution is still running. Returns whether it settled the order.
async fn settle(app: &App, unsettled: UnsettledOrder) -> Result<bool, Error> {
    let UnsettledOrder { order_id: id, customer_id, epoch } = unsettled;
    let placed = app.table.order(customer_id, id).await?;
    let name = id.to_string();
    let running = match placed.order.status {
        OrderStatus::Cancelled => app.cancellations.is_running(&name).await?,
        _ => app.placements.is_running(&name).await?,
    };
    if running {
        return Ok(false);
    }
    let cause = match (placed.order.status, &placed.payment) {
        (OrderStatus::Confirmed, Some(payment)) => {
            app.capture.capture(id, payment).await?;
            return Ok(true);
        }
        (OrderStatus::Cancelled, _) => Cause::Cancelled,
        _ => Cause::Rejected(Reason::Failed(FailedStep::new("order-place".to_owned(), "States.Timeout"))),
    };
    let undone = app.undo.undo(&placed.request(), epoch, &cause, app.now()).await?;
    // An order that was confirmed a moment ago is left to its execution or to the next sweep.
    Ok(undone == Undone::Undone)
}
