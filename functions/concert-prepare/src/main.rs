//! Step of concert-create: creates the concert as pending, hidden from readers.

use app::table::Table;
use domain::{Error, concert::ConcertRequest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(prepare)
}

async fn prepare(app: &App, Input { request }: Input) -> Result<(), Error> {
    app.table.prepare_concert(&request.concert()).await
}
