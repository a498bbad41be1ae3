//! `GET /concerts/{concertId}`: a concert, or how the request for it stands.

use domain::{Error, concert::Progress, id::ConcertId};
use runtime::App;
use web::{Problem, Request, Response, pages::ConcertStatus, respond};

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
        // It has been published since it was looked for; or deleted, and then it is not found.
        Progress::Done => respond::ok(&app.table.concert(id).await?),
        progress => respond::ok(&ConcertStatus { concert_id: id, progress }),
    }
}
