//! Step of order-place: takes the money of a confirmed order.

use domain::{Error, order::OrderRequest, payment::PaymentId};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
    payment: PaymentId,
}

#[derive(Serialize)]
struct Output {}

fn main() -> runtime::Exit {
    runtime::step(capture)
}

async fn capture(app: &App, Input { order, payment }: Input) -> Result<Output, Error> {
    app.capture_payment(order.order_id, &payment).await?;
    Ok(Output {})
}
