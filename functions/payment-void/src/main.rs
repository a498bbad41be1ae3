//! Step of order-place and order-cancel: ends the payment of an order, and gives back what was taken.

use domain::{Error, order::OrderRequest};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

#[derive(Serialize)]
struct Output {
    /// Whether the order was confirmed after all: then nothing is to be undone.
    confirmed: bool,
}

fn main() -> runtime::Exit {
    runtime::step(void)
}

async fn void(app: &App, Input { order }: Input) -> Result<Output, Error> {
    Ok(Output { confirmed: app.void_payment(order.order_id).await? })
}
