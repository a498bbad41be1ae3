//! Step of order-place: captures the payment of a confirmed order.

use app::settlement::Capture;
use domain::{Error, order::OrderRequest, payment::PaymentId};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
    payment: PaymentId,
}

app::clients! { capture: Capture }

fn main() -> runtime::Exit {
    runtime::step(capture)
}

async fn capture(app: &App, Input { order, payment }: Input) -> Result<(), Error> {
    app.capture.capture(&order, &payment, app.now()).await
}
