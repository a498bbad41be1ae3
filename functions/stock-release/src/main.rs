//! Step of order-place and order-cancel: gives back the stock that an order holds.

use domain::{Error, order::OrderRequest};
use runtime::App;
use serde::{Deserialize, Serialize};
use table::Afterwards;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
    /// Whether the order is settled by that.
    last: bool,
}

#[derive(Serialize)]
struct Output {}

fn main() -> runtime::Exit {
    runtime::step(release)
}

async fn release(app: &App, Input { order, last }: Input) -> Result<Output, Error> {
    let afterwards = if last { Afterwards::Settled } else { Afterwards::Unsettled };
    app.table.release_stock(&order, afterwards, app.now()).await?;
    Ok(Output {})
}
