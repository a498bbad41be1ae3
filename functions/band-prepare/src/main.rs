//! Step of concert-create: creates a new band as pending, hidden from readers.

use app::table::Table;
use domain::{
    Error,
    concert::{ConcertRequest, RequestedBand},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    request: ConcertRequest,
    band: RequestedBand,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(prepare)
}

async fn prepare(app: &App, Input { request, band }: Input) -> Result<(), Error> {
    app.table.prepare_band(&request.band(&band), request.concert_id).await
}
