//! `GET /orders/{orderId}`: an order of the caller's.

use app::table::Table;
use domain::order::PlacedOrder;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_order)
}

async fn get_order(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let PlacedOrder { order, .. } = app.table.order(caller.user_id, request.path("orderId")?).await?;
    respond::ok(&order)?.etag(order.version).unless_known_to(&request)
}
