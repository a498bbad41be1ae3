//! `POST /orders/{orderId}/cancellation`: cancels a confirmed order. Idempotent.

use app::{
    limits::{Cancellations, Limits},
    machines::{Execution, Machines, OrderCancel},
    table::Table,
};
use domain::order::{Effect, Transition};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<Cancellations>, machines: Machines<OrderCancel> }

fn main() -> runtime::Exit {
    runtime::serve(cancel_order)
}

async fn cancel_order(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let placed = app.table.order(caller.user_id, request.path("orderId")?).await?;
    let placed = match placed.order.status.allows(Transition::Cancel)? {
        Effect::Changes => app.table.cancel_order(placed).await?,
        Effect::Repeats => placed,
    };
    // An earlier request may have cancelled the order and ended before it started the execution.
    let id = placed.order.order_id.to_string();
    app.machines.start(Execution { name: &id, input: &placed.request() }).await?;
    Ok(respond::ok(&placed.order)?.etag(placed.order.version))
}
