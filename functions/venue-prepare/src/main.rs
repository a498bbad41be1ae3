//! Step of concert-create: creates the new venue of the request, unseen.

use domain::{Error, concert::ConcertRequest};
use runtime::App;
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

fn main() -> runtime::Exit {
    runtime::step(prepare)
}

async fn prepare(app: &App, Input { request }: Input) -> Result<(), Error> {
    app.table.prepare_venue(&request.new_venue(), request.concert_id).await
}
