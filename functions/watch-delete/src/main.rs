//! `DELETE /watchlist/{itemId}`: ends the caller's watch of an item. Its prices stay.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(delete_watch)
}

async fn delete_watch(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    app.table.delete_watch(caller.user_id, request.path_item()?).await?;
    Ok(respond::no_content())
}
