//! `GET /experiments`: the experiments of the caller, newest first.

use app::table::Table;
use web::{Problem, Request, Response, cursor, respond};

const LIST: &str = "experiments";

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_experiments)
}

async fn list_experiments(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let mut query = request.query();
    let (size, after) = (query.page_size(), query.cursor(LIST));
    let (size, after) = query.finish(|| Some((size, after)))?;
    let page = app.table.experiments_of(caller.user_id, size, after).await?;
    let next = page.next.map(|next| cursor::encode(LIST, &next));
    respond::page(&page.items, next.as_deref(), |cursor| {
        format!("/experiments?limit={}&cursor={cursor}", size.get())
    })
}
