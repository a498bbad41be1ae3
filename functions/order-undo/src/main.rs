//! Step of order-place and order-cancel: undoes an order that failed or that its customer has cancelled.

use app::settlement::{Cause, Undo, Undone};
use domain::{Error, order::OrderRequest, rejection::RejectionReason};
use serde::{Deserialize, Serialize};
use table::Epoch;

/// The input of the task, from the state machine.
#[derive(Deserialize)]
pub(crate) struct Input {
    order: OrderRequest,
    /// Why the order failed; absent from an order that was cancelled.
    failure: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    /// The step that failed.
    step: String,
    /// The name of its error.
    error: String,
    /// The reason as JSON, where the error is `Rejected`.
    cause: String,
}

/// The output of the task, which a Choice of the state machine reads.
#[derive(Serialize)]
pub(crate) struct Output {
    /// `confirmed`: nothing was undone, since the order was confirmed after all. `undone`: it holds neither stock nor
    /// money, except for a refund that is under way or refused, for a reason of the customer's. `failed`: the same,
    /// through a fault on our side.
    outcome: &'static str,
}

app::clients! { undo: Undo }

fn main() -> runtime::Exit {
    runtime::step(undo)
}

/// Undoes the order, and says how that ended.
pub(crate) async fn undo(app: &App, Input { order, failure }: Input) -> Result<Output, Error> {
    let (epoch, cause) = match failure {
        Some(Failure { step, error, cause }) => {
            (Epoch::PLACEMENT, Cause::Rejected(RejectionReason::of(step, &error, &cause)))
        }
        None => (Epoch::CANCELLATION, Cause::Ended),
    };
    let outcome = match (app.undo.undo(&order, epoch, &cause, app.now()).await?, cause) {
        (Undone::Confirmed, _) => "confirmed",
        (_, Cause::Rejected(RejectionReason::Failed(_))) => "failed",
        _ => "undone",
    };
    Ok(Output { outcome })
}
