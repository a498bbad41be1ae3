//! `GET /orders/{orderId}`: an order of the caller's.

use domain::order::Placed;
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_order)
}

async fn get_order(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let Placed { order, .. } = app.table.order(caller.user_id, request.path("orderId")?).await?;
    respond::ok(&order)?.etag(order.version).unless_known_to(&request)
}
