//! `GET /notifications/settings`: how the caller wants to be told.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_settings)
}

async fn get_settings(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    respond::ok(&app.table.notification_settings(caller.user_id).await?)
}
