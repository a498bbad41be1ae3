//! Step of concert-create: deletes the concert with its entries, and hides again what the request had published.

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
    runtime::step(discard)
}

async fn discard(app: &App, Input { request }: Input) -> Result<Output, Error> {
    app.table.discard_concert(&request).await?;
    Ok(Output {})
}
