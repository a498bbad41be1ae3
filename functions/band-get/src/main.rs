//! `GET /bands/{bandId}`: a band.

use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_band)
}

async fn get_band(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("bandId")?;
    respond::ok(&app.table.band(id).await?)
}
