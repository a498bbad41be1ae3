//! `PATCH /products/{productId}/reviews/{authorId}`: changes the caller's review, if If-Match names its version.

use app::{limits::ReviewLimit, overtaken::retry_overtaken, table::Table};
use domain::{input::MergePatch, review::Review};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limit: ReviewLimit }

fn main() -> runtime::Exit {
    runtime::serve(update_review)
}

async fn update_review(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (product, author) = (request.path("productId")?, request.path("authorId")?);
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    app.limit.admit(caller.user_id, product, request.received_at).await?;
    let changed = Box::pin(retry_overtaken(&seen, "the review", || async {
        let (review, (), bought, author_name) = futures::try_join!(
            app.table.review(product, author),
            app.table.require_product(product),
            app.table.has_bought(author, product),
            app.table.display_name(author)
        )?;
        let changed = review.change(&caller, patch.clone(), &seen, bought, request.received_at)?;
        let changed = Review { author_name, ..changed };
        app.table.replace_review(&changed, app.new_writer()?).await?;
        Ok(changed)
    }));
    let changed = changed.await?;
    Ok(respond::ok(&changed)?.etag(changed.version))
}
