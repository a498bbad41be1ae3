//! Step of order-place: records that an order was rejected, and why.

use domain::{
    Error,
    order::{OrderRequest, Reason},
};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    order: OrderRequest,
    /// The step that failed.
    step: String,
    /// The name of its error.
    error: String,
    /// The reason, where the error is `Rejected`.
    cause: String,
}

#[derive(Serialize)]
struct Output {
    /// Whether the order failed through no fault of the customer's.
    fault: bool,
}

fn main() -> runtime::Exit {
    runtime::step(reject)
}

async fn reject(app: &App, Input { order, step, error, cause }: Input) -> Result<Output, Error> {
    let reason = Reason::of(step, &error, &cause);
    app.table.reject_order(&order, &reason).await?;
    Ok(Output { fault: matches!(reason, Reason::Failed(_)) })
}
