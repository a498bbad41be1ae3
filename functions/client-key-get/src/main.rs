//! `GET /client-key`: the key under which the caller's running experiments are published.

use app::table::Table;
use web::{Problem, Request, Response, client_key_document::ClientKeyDocument, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_client_key)
}

async fn get_client_key(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    respond::ok(&ClientKeyDocument::from(&app.table.client_key(caller.user_id).await?))
}
