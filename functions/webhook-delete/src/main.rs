//! `DELETE /webhook`: ends the posting of the caller's notifications.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(delete_webhook)
}

async fn delete_webhook(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.table.delete_webhook(caller.user_id).await?;
    Ok(respond::no_content())
}
