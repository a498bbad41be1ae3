//! `GET /venues/{venueId}`: a venue.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_venue)
}

async fn get_venue(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("venueId")?;
    respond::ok(&app.table.venue(id).await?)
}
