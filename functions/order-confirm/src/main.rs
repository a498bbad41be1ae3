//! Step of order-place: confirms an order whose stock is reserved and whose payment is authorized.

use app::table::Table;
use domain::{Error, order::OrderRequest, payment::PaymentId};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
    payment: PaymentId,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(confirm)
}

async fn confirm(app: &App, Input { order, payment }: Input) -> Result<(), Error> {
    app.table.confirm_order(&order, &payment).await
}
