//! Step of order-place: authorizes the payment, so that the customer's bank holds the amount.

use app::{limits::UnpaidOrders, payments::PaymentProvider, table::Table};
use domain::{
    Error,
    order::OrderRequest,
    payment::PaymentId,
    security::{SecurityEvent, Subject},
};
use payments::Payments;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
}

#[derive(Serialize)]
struct Output {
    payment: PaymentId,
}

app::clients! { table: Table, payments: PaymentProvider, unpaid: UnpaidOrders }

fn main() -> runtime::Exit {
    runtime::step(authorize)
}

async fn authorize(app: &App, Input { order }: Input) -> Result<Output, Error> {
    let payments = app.payments.client().await?;
    let payment = payments.begin(order.customer_id, order.order_id, order.total).await?;
    // Recorded before it is authorized, so that an undo can void it.
    app.table.begin_payment(order.order_id, &payment).await?;
    let authorized = payments.authorize(order.order_id, &payment, &order.payment_method).await;
    if let Err(Error::Rejected(_)) = authorized {
        app.note(SecurityEvent::PaymentDeclined, Subject::user(order.customer_id));
    }
    authorized?;
    app.unpaid.remove(order.customer_id, order.order_id).await?;
    Ok(Output { payment })
}
