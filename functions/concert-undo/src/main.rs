//! Step of concert-create: deletes what a failed request has created, and records why it failed.

use app::concert_undo::ConcertUndo;
use domain::{Error, concert::ConcertRequest, saga::FailedStep};
use serde::{Deserialize, Serialize};
use table::Discarded;

/// The input of the task, from the state machine.
#[derive(Deserialize)]
pub(crate) struct Input {
    request: ConcertRequest,
    /// The step that failed.
    step: String,
    /// The name of its error.
    error: String,
}

/// The output of the task, which a Choice of the state machine reads.
#[derive(Serialize)]
pub(crate) struct Output {
    /// Whether the concert was already published: then everything is kept, and the request has succeeded.
    published: bool,
}

app::clients! { undo: ConcertUndo }

fn main() -> runtime::Exit {
    runtime::step(undo)
}

/// Undoes the request.
pub(crate) async fn undo(app: &App, Input { request, step, error }: Input) -> Result<Output, Error> {
    let undone = app.undo.undo(&request, FailedStep::new(step, &error), app.now()).await?;
    Ok(Output { published: undone == Discarded::Published })
}
