//! `DELETE /sessions/{sessionId}`: ends one of the caller's sessions. Its refresh token and access tokens are void at once.

use app::table::Table;
use domain::{id::SessionId, security::SecurityEvent};
use web::{Problem, Request, Response, refresh_cookie, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(end_session)
}

async fn end_session(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: SessionId = request.path("sessionId")?;
    app.table.end_session(caller.user_id, id, request.received_at).await?;
    app.note(SecurityEvent::SessionsEnded, caller);
    Ok(refresh_cookie::cleared(respond::no_content(), &request, |shown| shown.session_id == id))
}
