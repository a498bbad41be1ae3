//! `DELETE /sessions/current`: logs out. The session's refresh token and access tokens are void at once.

use app::table::Table;
use domain::security::SecurityEvent;
use web::{Problem, Request, Response, refresh_cookie, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(delete_session)
}

async fn delete_session(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.table.end_session(caller.user_id, caller.session_id, request.received_at).await?;
    app.note(SecurityEvent::SessionsEnded, caller);
    Ok(refresh_cookie::cleared(respond::no_content(), &request, |shown| {
        shown.session_id == caller.session_id
    }))
}
