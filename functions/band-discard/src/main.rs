//! Step of concert-create: deletes a band that the request created, unless somebody else has come to use it.

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
struct Output {
    /// Whether nothing of the band is left; otherwise it is in use.
    gone: bool,
}

fn main() -> runtime::Exit {
    runtime::step(discard)
}

async fn discard(app: &App, Input { request, band }: Input) -> Result<Output, Error> {
    let gone = app.table.discard_band(band.band_id, request.concert_id).await?;
    Ok(Output { gone })
}
