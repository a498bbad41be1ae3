//! `PATCH /products/{productId}/reviews/{authorId}`: changes the version of a review that its author has seen.

use domain::input::MergePatch;
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(update_review)
}

async fn update_review(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (product, author) = (request.path("productId")?, request.path("authorId")?);
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    let review = app.table.review(product, author).await?;
    let changed = review.change(&caller, patch, &seen, request.received_at)?;
    app.table.replace_review(&changed, app.random()?).await?;
    Ok(respond::ok(&changed)?.etag(changed.version))
}
