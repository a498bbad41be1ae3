//! `POST /orders/{orderId}/cancellation`: takes a confirmed order back; twice is the same as once.

use domain::order::{Change, Effect};
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(cancel_order)
}

async fn cancel_order(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let placed = app.table.order(caller.user_id, request.path("orderId")?).await?;
    let placed = match placed.order.status.allows(Change::Cancel)? {
        Effect::Changes => app.table.cancel_order(placed).await?,
        Effect::Repeats => placed,
    };
    // Whoever cancelled it may have died before starting the execution, which its name makes happen once.
    let id = placed.order.order_id.to_string();
    app.start("ORDER_CANCEL_MACHINE_ARN", &id, &placed.request()).await?;
    Ok(respond::ok(&placed.order)?.etag(placed.order.version))
}
