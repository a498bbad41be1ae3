//! Step of order-place: has the customer's bank hold the money.

use domain::{Error, order::OrderRequest, payment::PaymentId};
use payments::Payments;
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

#[derive(Serialize)]
struct Output {
    payment: PaymentId,
}

fn main() -> runtime::Exit {
    runtime::step(authorize)
}

async fn authorize(app: &App, Input { order }: Input) -> Result<Output, Error> {
    let payments = app.payments().await?;
    let payment = payments.begin(order.order_id, order.total).await?;
    // An undo has to know the payment before there is money in it.
    app.table.begin_payment(order.order_id, &payment).await?;
    payments.authorize(order.order_id, &payment, &order.payment_method).await?;
    Ok(Output { payment })
}
