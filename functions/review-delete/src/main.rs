//! `DELETE /products/{productId}/reviews/{authorId}`: deletes the caller's review, if If-Match names its version.

use app::{overtaken::retry_overtaken, table::Table};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(delete_review)
}

async fn delete_review(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (product, author) = (request.path("productId")?, request.path("authorId")?);
    let seen = request.if_match()?;
    let deleted = retry_overtaken(&seen, "the review", || async {
        let review = app.table.review(product, author).await?;
        review.remove(&caller, &seen)?;
        app.table.delete_review(&review).await
    });
    deleted.await?;
    Ok(respond::no_content())
}
