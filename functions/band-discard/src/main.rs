//! Step of concert-create: deletes a band that the request created, unless it has been published.

use domain::{
    Error,
    concert::{ConcertRequest, RequestedBand},
};
use runtime::App;
use serde::{Deserialize, Serialize};
use table::Discarded;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
    band: RequestedBand,
}

#[derive(Serialize)]
struct Output {
    /// Whether it stays, since it has been published.
    published: bool,
}

fn main() -> runtime::Exit {
    runtime::step(discard)
}

async fn discard(app: &App, Input { request, band }: Input) -> Result<Output, Error> {
    let discarded = app.table.discard_band(band.band_id, request.concert_id).await?;
    Ok(Output { published: discarded == Discarded::Published })
}
