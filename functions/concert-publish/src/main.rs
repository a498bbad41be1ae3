//! Step of concert-create: makes the concert, its new bands and its new venue visible, all at once.

use domain::{Error, concert::ConcertRequest};
use runtime::App;
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

fn main() -> runtime::Exit {
    runtime::step(publish)
}

async fn publish(app: &App, Input { request }: Input) -> Result<(), Error> {
    app.table.publish_concert(&request).await
}
