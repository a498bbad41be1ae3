//! On a schedule: finishes orders whose execution was never started, was stopped or has failed.

use domain::{
    Error,
    id::{OrderId, UserId},
    order::{Placed, Reason, Status},
    saga::FailedStep,
};
use futures::{StreamExt, stream};
use runtime::{App, Standing};
use serde::Serialize;
use table::Afterwards;

/// How many orders are worked on at once.
const CONCURRENCY: usize = 8;

#[derive(Serialize, Default)]
struct Output {
    /// Unsettled orders that are old enough to be looked at.
    found: usize,
    /// Those that were settled.
    settled: usize,
}

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

async fn sweep(app: &App, _schedule: serde::de::IgnoredAny) -> Result<Output, Error> {
    let before = app.now().minus_seconds(app.setting("SWEEP_AFTER_SECONDS")?);
    let orders = app.table.unsettled_orders(before).await?;
    let found = orders.len();
    let done: Vec<_> =
        stream::iter(orders).map(|order| settle(app, order)).buffer_unordered(CONCURRENCY).collect().await;
    // One that fails holds up no other; the next sweep tries it again.
    let failed = done.iter().find_map(|done| done.as_ref().err()).cloned();
    let settled = done.into_iter().flatten().filter(|settled| *settled).count();
    failed.map_or(Ok(Output { found, settled }), Err)
}

/// Finishes an order unless an execution still works on it; whether it did.
async fn settle(app: &App, (id, customer): (OrderId, UserId)) -> Result<bool, Error> {
    let placed = app.table.order(customer, id).await?;
    let machine = match placed.order.status {
        Status::Cancelled => "ORDER_CANCEL_MACHINE_ARN",
        _ => "ORDER_PLACE_MACHINE_ARN",
    };
    if app.execution(machine, &id.to_string()).await? == Standing::Runs {
        return Ok(false);
    }
    match (placed.order.status, &placed.payment) {
        (Status::Confirmed, Some(payment)) => app.capture_payment(id, payment).await?,
        (Status::Cancelled, _) => {
            app.void_payment(id).await?;
            app.table.release_stock(&placed.request(), Afterwards::Settled, app.now()).await?;
        }
        _ => undo(app, &placed).await?,
    }
    Ok(true)
}

/// Undoes an order that nobody goes on with.
async fn undo(app: &App, placed: &Placed) -> Result<(), Error> {
    let request = placed.request();
    if app.void_payment(request.order_id).await? {
        // It was confirmed a moment ago: somebody does go on with it.
        return Ok(());
    }
    app.table.release_stock(&request, Afterwards::Unsettled, app.now()).await?;
    let failed = FailedStep::new("order-place".to_owned(), "States.Timeout");
    app.table.reject_order(&request, &Reason::Failed(failed)).await
}
