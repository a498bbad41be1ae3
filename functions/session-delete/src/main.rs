//! `DELETE /sessions/current`: logs out. The session's refresh token is void at once; its access tokens run out.

use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(delete_session)
}

async fn delete_session(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.table.delete_session(caller.user_id, caller.session_id).await?;
    Ok(respond::no_content())
}
