//! Step of order-place: reserves the stock of all lines of an order, or of none.

use app::table::Table;
use domain::{Error, order::OrderRequest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(reserve)
}

async fn reserve(app: &App, Input { order }: Input) -> Result<(), Error> {
    app.table.reserve_stock(&order, app.now()).await
}
