//! Step of order-place: confirms an order whose stock and payment are there.

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
    runtime::step(confirm)
}

async fn confirm(app: &App, Input { order, payment }: Input) -> Result<Output, Error> {
    app.table.confirm_order(&order, &payment).await?;
    Ok(Output {})
}
