//! `DELETE /sessions`: ends all sessions of the caller, this one too.

use app::table::Table;
use domain::security::SecurityEvent;
use web::{Problem, Request, Response, refresh_cookie, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(end_sessions)
}

async fn end_sessions(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.table.end_sessions(caller.user_id, None, request.received_at).await?;
    app.note(SecurityEvent::SessionsEnded, caller);
    Ok(refresh_cookie::cleared(respond::no_content(), &request, |shown| shown.user_id == caller.user_id))
}
