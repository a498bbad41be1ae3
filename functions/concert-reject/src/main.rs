//! Step of concert-create: records that the request failed, and why.

use domain::{Error, concert::ConcertRequest, saga::FailedStep};
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
    let reason = FailedStep::new(step, &error);
    app.table.reject_request(request.concert_id, reason).await?;
    Ok(Output {})
}
