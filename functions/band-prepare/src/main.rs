//! Step of concert-create: creates a new band of the request, unseen.

use domain::{
    Error,
    concert::{ConcertRequest, RequestedBand},
};
use runtime::App;
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
    band: RequestedBand,
}

fn main() -> runtime::Exit {
    runtime::step(prepare)
}

async fn prepare(app: &App, Input { request, band }: Input) -> Result<(), Error> {
    app.table.prepare_band(&request.band(&band), request.concert_id).await
}
