//! Step of concert-create: deletes the venue that the request created, unless somebody else has come to use it.

use domain::{Error, concert::ConcertRequest};
use runtime::App;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

#[derive(Serialize)]
struct Output {
    /// Whether nothing of the venue is left; otherwise it is in use.
    gone: bool,
}

fn main() -> runtime::Exit {
    runtime::step(discard)
}

async fn discard(app: &App, Input { request }: Input) -> Result<Output, Error> {
    let gone = app.table.discard_venue(request.venue.venue_id, request.concert_id).await?;
    Ok(Output { gone })
}
