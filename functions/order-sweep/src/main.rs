//! On a schedule: finishes orders whose execution was never started, ran out of time or has failed.

use app::{
    settlement::Settlement,
    sweep::{self, Attempt, SweepAfter, Swept},
    table::Table,
};
use domain::{Error, id::OrderId};
use serde::Deserialize;
use table::UnsettledOrder;

/// The event of the schedule, or of an operator.
#[derive(Deserialize)]
pub(crate) struct Input {
    /// Orders that were left to a person and are to be tried again.
    #[serde(default)]
    retry: Vec<OrderId>,
}

app::clients! {
    table: Table,
    settlement: Settlement,
    sweep_after: SweepAfter,
}

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

/// Settles all unsettled orders that are due. An order that cannot be settled does not keep the others from it.
pub(crate) async fn sweep(app: &App, Input { retry }: Input) -> Result<Swept, Error> {
    for id in retry {
        app.table.retry_unsettled(id).await?;
    }
    let before = app.sweep_after.before(app.now());
    let page = async |position: &_| app.table.unsettled_orders(before, position).await;
    let swept = sweep::sweep(|| app.now(), page, async |order| attempt(app, order).await).await?;
    app.report_unsettled_orders(swept.found - swept.settled, app.now());
    Ok(swept)
}

async fn attempt(app: &App, order: UnsettledOrder) -> Result<Attempt, Error> {
    if !order.is_due(app.now()) {
        return Ok(if order.stuck.is_some() { Attempt::GivenUp } else { Attempt::Left });
    }
    match settle(app, &order).await {
        Ok(attempt) => Ok(attempt),
        Err(error) => app.settlement.count_failure(&order, &error, app.now()).await,
    }
}

/// Settles an order, which is older than an execution may run.
async fn settle(app: &App, order: &UnsettledOrder) -> Result<Attempt, Error> {
    let placed = app.table.order(order.customer_id, order.order_id).await?;
    app.settlement.settle(&placed, order.epoch, app.now()).await
}
