//! Step of concert-create: creates the concert, unseen.

use domain::{Error, concert::ConcertRequest};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

#[derive(Serialize)]
struct Output {}

fn main() -> runtime::Exit {
    runtime::step(prepare)
}

async fn prepare(app: &App, Input { request }: Input) -> Result<Output, Error> {
    app.table.prepare_concert(&request.concert()).await?;
    Ok(Output {})
}
