//! `DELETE /concerts/{concertId}`: deletes a concert of the caller's; its bands and its venue are kept.

use app::table::Table;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(delete_concert)
}

async fn delete_concert(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let concert = app.table.concert(request.path("concertId")?).await?;
    concert.delete(&caller)?;
    app.table.delete_concert(&concert).await?;
    Ok(respond::no_content())
}
