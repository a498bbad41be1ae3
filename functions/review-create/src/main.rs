//! `POST /products/{productId}/reviews`: creates the caller's review of a product; a user has at most one per product.

use app::{limits::ReviewLimit, table::Table};
use domain::{
    id::ProductId,
    review::{self, Review, ReviewDraft},
};
use http::header;
use table::Reviewed;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limit: ReviewLimit }

fn main() -> runtime::Exit {
    runtime::serve(create_review)
}

async fn create_review(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: ProductId = request.path("productId")?;
    let (draft, idempotency) = Problem::both(request.json::<ReviewDraft>(), request.idempotency())?;
    let author = caller.user_id;
    app.limit.admit(author, id, request.received_at).await?;
    let (seller, bought, author_name) = futures::try_join!(
        app.table.seller_of(id),
        app.table.has_bought(author, id),
        app.table.display_name(author)
    )?;
    review::allow(&caller, seller)?;
    let review = Review { author_name, ..Review::write(id, &caller, draft, bought, request.received_at) };
    match app.table.create_review(&review, idempotency.as_ref(), app.new_writer()?).await? {
        Reviewed::Created => answer(&review),
        Reviewed::Before(review) => Ok(respond::replayed(answer(&review)?.to_answer())?),
    }
}

fn answer(review: &Review) -> Result<Response, Problem> {
    let location = format!("/products/{}/reviews/{}", review.product_id, review.author_id);
    Ok(respond::created(review)?.etag(review.version).with(header::LOCATION, location))
}
