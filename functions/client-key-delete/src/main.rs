//! `DELETE /client-key`: ends the publication of the caller's running experiments.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(delete_client_key)
}

async fn delete_client_key(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.table.delete_client_key(caller.user_id).await?;
    Ok(respond::no_content())
}
