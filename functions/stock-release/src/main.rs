//! Step of order-place and order-cancel: gives back the stock that an order holds.

use domain::{Error, order::OrderRequest};
use runtime::App;
use serde::Deserialize;
use table::Afterwards;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
    /// Whether the order is settled by that.
    last: bool,
}

fn main() -> runtime::Exit {
    runtime::step(release)
}

async fn release(app: &App, Input { order, last }: Input) -> Result<(), Error> {
    let afterwards = if last { Afterwards::Settled } else { Afterwards::Unsettled };
    app.table.release_stock(&order, afterwards, app.now()).await
}
