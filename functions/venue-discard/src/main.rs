//! Step of concert-create: deletes the venue that the request created, unless it has been published.

use domain::{Error, concert::ConcertRequest};
use runtime::App;
use serde::{Deserialize, Serialize};
use table::Discarded;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

#[derive(Serialize)]
struct Output {
    /// Whether it stays, since it has been published.
    published: bool,
}

fn main() -> runtime::Exit {
    runtime::step(discard)
}

async fn discard(app: &App, Input { request }: Input) -> Result<Output, Error> {
    let discarded = app.table.discard_venue(request.venue.venue_id, request.concert_id).await?;
    Ok(Output { published: discarded == Discarded::Published })
}
