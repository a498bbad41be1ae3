//! `DELETE /products/{productId}/reviews/{authorId}`: removes the version of a review that its author has seen.

use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(delete_review)
}

async fn delete_review(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (product, author) = (request.path("productId")?, request.path("authorId")?);
    let seen = request.if_match()?;
    let review = app.table.review(product, author).await?;
    review.remove(&caller, &seen)?;
    app.table.delete_review(&review).await?;
    Ok(respond::no_content())
}
