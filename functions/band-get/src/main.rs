//! `GET /bands/{bandId}`: a band.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_band)
}

async fn get_band(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("bandId")?;
    respond::ok(&app.table.band(id).await?)
}
