//! `PUT /client-key`: publishes the caller's running experiments under a client key.

use app::table::Table;
use domain::client_key::ClientKey;
use web::{Problem, Request, Response, client_key_document::ClientKeyDocument, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(put_client_key)
}

/// Makes a key, unless the caller has one. Repeating it changes nothing.
async fn put_client_key(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let key = ClientKey::new(caller.user_id, app.random()?, request.received_at);
    respond::ok(&ClientKeyDocument::from(&app.table.create_client_key(&key).await?))
}
