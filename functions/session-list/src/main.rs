//! `GET /sessions`: the caller's open sessions, newest first. There are so few that the list has one page.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_sessions)
}

async fn list_sessions(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let sessions = app.table.sessions(&caller, request.received_at).await?;
    respond::page(&sessions, None, str::to_owned)
}
