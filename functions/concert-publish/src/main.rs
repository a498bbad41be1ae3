//! Step of concert-create: makes the concert, its new bands and its new venue visible, all at once.

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
    runtime::step(publish)
}

async fn publish(app: &App, Input { request }: Input) -> Result<Output, Error> {
    app.table.publish_concert(&request).await?;
    Ok(Output {})
}
