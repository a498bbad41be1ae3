//! `GET /webhook`: where the caller's notifications are posted, and whether that works.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_webhook)
}

async fn get_webhook(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    respond::ok(&app.table.webhook(caller.user_id).await?)
}
