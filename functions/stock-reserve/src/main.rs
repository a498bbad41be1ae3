//! Step of order-place: takes the stock of all lines of an order, or of none.

use domain::{Error, order::OrderRequest};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

#[derive(Serialize)]
struct Output {}

fn main() -> runtime::Exit {
    runtime::step(reserve)
}

async fn reserve(app: &App, Input { order }: Input) -> Result<Output, Error> {
    app.table.reserve_stock(&order, app.now()).await?;
    Ok(Output {})
}
