//! Step of order-place: reserves the stock of all lines of an order, or of none.

use app::{limits::UnpaidOrders, table::Table};
use domain::{Error, order::OrderRequest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

app::clients! { table: Table, unpaid: UnpaidOrders }

fn main() -> runtime::Exit {
    runtime::step(reserve)
}

async fn reserve(app: &App, Input { order }: Input) -> Result<(), Error> {
    let reserved = app.table.reserve_stock(&order, app.now()).await;
    if let Err(Error::Rejected(_)) = reserved {
        // The card was not tried, so the order does not count against the limit of unpaid orders.
        app.unpaid.remove(order.customer_id, order.order_id).await?;
    }
    reserved
}
