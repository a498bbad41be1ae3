//! Step of concert-create: records that the request failed, and why.

use domain::{
    Error,
    concert::{ConcertRequest, FailedStep},
};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
    /// The step that failed.
    step: String,
    /// The name of its error.
    error: String,
}

#[derive(Serialize)]
struct Output {}

fn main() -> runtime::Exit {
    runtime::step(reject)
}

async fn reject(app: &App, Input { request, step, error }: Input) -> Result<Output, Error> {
    // The cause is for the log of the step; the caller is told no more than what it can act upon.
    let detail = match error.as_str() {
        "Unavailable" => "a part of the service did not answer; try again with another key",
        // What ran out of time: the task, or the function in it.
        "States.Timeout" | "Sandbox.Timedout" => "it took too long; try again with another key",
        "Conflict" => "a band or the venue is not there any more",
        _ => "something went wrong on our side",
    };
    let reason = FailedStep { step, detail: detail.to_owned() };
    app.table.reject_request(request.concert_id, reason).await?;
    Ok(Output {})
}
