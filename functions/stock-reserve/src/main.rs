//! Step of order-place: takes the stock of all lines of an order, or of none.

use domain::{Error, order::OrderRequest};
use runtime::App;
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

fn main() -> runtime::Exit {
    runtime::step(reserve)
}

async fn reserve(app: &App, Input { order }: Input) -> Result<(), Error> {
    app.table.reserve_stock(&order, app.now()).await
}
