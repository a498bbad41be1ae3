//! `GET /venues/{venueId}`: a venue.

use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_venue)
}

async fn get_venue(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("venueId")?;
    respond::ok(&app.table.venue(id).await?)
}
