//! `GET /users/me`: the caller's profile.

use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_user)
}

async fn get_user(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    respond::ok(&app.table.user(caller.user_id).await?)
}
