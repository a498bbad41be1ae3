//! `GET /products/{productId}/reviews`: the reviews of a product, newest first.

use app::table::Table;
use domain::{
    id::ProductId,
    page::PageSize,
    product::ReviewPosition,
    review::{ReviewFilter, Stars},
};
use web::{Problem, Request, Response, cursor, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_reviews)
}

async fn list_reviews(app: &App, request: Request) -> Result<Response, Problem> {
    let id: ProductId = request.path("productId")?;
    let (filter, size, after) = read(id, &request)?;
    let (page, ()) =
        futures::try_join!(app.table.reviews_of(id, filter, size, after), app.table.require_product(id))?;
    let next = page.next.map(|next| cursor::encode(&list(id, filter), &next));
    respond::page(&page.items, next.as_deref(), |cursor| {
        let mut parameters = parameters(filter);
        parameters.extend([format!("limit={}", size.get()), format!("cursor={cursor}")]);
        format!("/products/{id}/reviews?{}", parameters.join("&"))
    })
}

fn read(
    id: ProductId,
    request: &Request,
) -> Result<(ReviewFilter, PageSize, Option<ReviewPosition>), Problem> {
    let mut query = request.query();
    let stars = query.optional("stars", |text| {
        let digit = text.parse().ok().filter(|_| text.len() == 1);
        digit.and_then(Stars::new).ok_or_else(|| "must be a whole number from 1 to 5".to_owned())
    });
    let verified = query.optional("verifiedPurchase", |text| {
        if text == "true" { Ok(()) } else { Err("must be true, or left out".to_owned()) }
    });
    let filter = ReviewFilter { stars, verified_purchase: verified.is_some() };
    let size = query.page_size();
    let after = query.cursor(&list(id, filter));
    query.finish(|| Some((filter, size, after)))
}

/// The list that a cursor belongs to. The cursor on a product's page belongs to the list of all reviews.
fn list(id: ProductId, filter: ReviewFilter) -> String {
    parameters(filter).iter().fold(cursor::reviews_of(id), |list, parameter| format!("{list}&{parameter}"))
}

/// The filter as query parameters.
fn parameters(filter: ReviewFilter) -> Vec<String> {
    let stars = filter.stars.map(|stars| format!("stars={}", stars.get()));
    let verified = filter.verified_purchase.then(|| "verifiedPurchase=true".to_owned());
    stars.into_iter().chain(verified).collect()
}
