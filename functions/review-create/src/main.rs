//! `POST /products/{productId}/reviews`: the caller's review of a product. A second one is refused.

use domain::{
    id::ProductId,
    review::{Review, ReviewDraft},
};
use http::header;
use runtime::App;
use table::Reviewed;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(create_review)
}

async fn create_review(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: ProductId = request.path("productId")?;
    let (draft, once) = Problem::both(request.json::<ReviewDraft>(), request.once())?;
    app.table.require_product(id).await?;
    let review = Review::write(id, &caller, draft, request.received_at);
    match app.table.create_review(&review, once.as_ref(), app.random()?).await? {
        Reviewed::Created => answer(&review),
        Reviewed::Before(review) => Ok(respond::replayed(answer(&review)?.to_answer())?),
    }
}

fn answer(review: &Review) -> Result<Response, Problem> {
    let location = format!("/products/{}/reviews/{}", review.product_id, review.author_id);
    Ok(respond::created(review)?.etag(review.version).with(header::LOCATION, location))
}
