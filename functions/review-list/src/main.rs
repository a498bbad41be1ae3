//! `GET /products/{productId}/reviews`: the reviews of a product, newest first.

use app::table::Table;
use domain::{id::ProductId, page::PageSize, product::ReviewPosition, review::Stars};
use web::{Problem, Request, Response, cursor, query, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_reviews)
}

async fn list_reviews(app: &App, request: Request) -> Result<Response, Problem> {
    let id: ProductId = request.path("productId")?;
    let (stars, size, after) = read(id, &request)?;
    let (page, ()) =
        futures::try_join!(app.table.reviews_of(id, stars, size, after), app.table.require_product(id))?;
    let next = page.next.map(|next| cursor::encode(&list(id, stars), &next));
    respond::page(&page.items, next.as_deref(), |cursor| {
        let stars = stars.map(|stars| format!("stars={}&", stars.get())).unwrap_or_default();
        format!("/products/{id}/reviews?{stars}limit={}&cursor={cursor}", size.get())
    })
}

fn read(
    id: ProductId,
    request: &Request,
) -> Result<(Option<Stars>, PageSize, Option<ReviewPosition>), Problem> {
    let mut query = request.query();
    let stars = query.optional("stars", |text| {
        let digit = text.parse().ok().filter(|_| text.len() == 1);
        digit.and_then(Stars::new).ok_or_else(|| "must be a whole number from 1 to 5".to_owned())
    });
    let size = query.page_size();
    let after = query.cursor(&list(id, stars));
    query.finish(|| Some((stars, size, after)))
}

/// The list that a cursor belongs to. The cursor on a product's page belongs to the list of all reviews.
fn list(id: ProductId, stars: Option<Stars>) -> String {
    let all = cursor::reviews_of(id);
    match stars {
        Some(stars) => format!("{all}&{}", query::encode(&[("stars", &stars.get().to_string())])),
        None => all,
    }
}
