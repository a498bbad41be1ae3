//! Step of concert-create: publishes the concert, its new bands and its new venue in one transaction.

use app::table::Table;
use domain::{Error, concert::ConcertRequest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(publish)
}

async fn publish(app: &App, Input { request }: Input) -> Result<(), Error> {
    app.table.publish_concert(&request, app.now()).await
}
