//! Step of concert-create: creates a new band of the request, unseen.

use domain::{
    Error,
    concert::{ConcertRequest, RequestedBand},
};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
    band: RequestedBand,
}

#[derive(Serialize)]
struct Output {}

fn main() -> runtime::Exit {
    runtime::step(prepare)
}

async fn prepare(app: &App, Input { request, band }: Input) -> Result<Output, Error> {
    app.table.prepare_band(&request.band(&band), request.concert_id).await?;
    Ok(Output {})
}
