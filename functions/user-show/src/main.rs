//! `GET /users/{userId}`: what everybody may read of a user.

use app::table::Table;
use domain::user::PublicProfile;
use http::header;
use web::{Problem, Request, Response, etag, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(show_user)
}

async fn show_user(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("userId")?;
    let response = respond::ok(&PublicProfile::from(app.table.user(id).await?))?;
    let tag = etag::of_content(response.body.as_text().as_bytes());
    response.with(header::ETAG, tag).unless_known_to(&request)
}
