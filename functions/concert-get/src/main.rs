//! `GET /concerts/{concertId}`: a concert, or the progress of the request for it.

use app::table::Table;
use domain::{Error, concert::Progress, id::ConcertId};
use web::{Problem, Request, Response, concert_status::ConcertStatus, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_concert)
}

async fn get_concert(app: &App, request: Request) -> Result<Response, Problem> {
    let id: ConcertId = request.path("concertId")?;
    match app.table.concert(id).await {
        Err(Error::NotFound { .. }) => {}
        concert => return respond::ok(&concert?),
    }
    let (_, progress) = app.table.request(id).await?;
    match progress {
        // The concert was published between the two reads; or it was deleted since, and is not found.
        Progress::Done => respond::ok(&app.table.concert(id).await?),
        progress => respond::ok(&ConcertStatus { concert_id: id, progress }),
    }
}
