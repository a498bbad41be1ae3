//! `GET /users/me`: the caller's profile.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_user)
}

async fn get_user(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let user = app.table.user(caller.user_id).await?;
    respond::ok(&user)?.etag(user.version).unless_known_to(&request)
}
