//! `GET /products/{productId}`: a product with its rating and its newest reviews.

use domain::{
    Version,
    product::{ListedProduct, ProductPage},
    review::Review,
};
use http::header;
use runtime::App;
use serde::Serialize;
use web::{
    Problem, Request, Response, cursor, etag,
    respond::{self, Items},
};

/// How many reviews the page shows.
const REVIEWS: u8 = 10;

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    listed: &'a ListedProduct,
    reviews: Items<'a, Review>,
}

fn main() -> runtime::Exit {
    runtime::serve(get_product)
}

async fn get_product(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("productId")?;
    let ProductPage { listed, reviews } = app.table.product_page(id, REVIEWS).await?;
    let next = reviews.next.map(|next| cursor::encode(&cursor::reviews_of(id), &next));
    let shown =
        Shown { listed: &listed, reviews: Items { items: &reviews.items, next_cursor: next.as_deref() } };
    let response = respond::ok(&shown)?;
    let tag = tag(&listed, &response);
    response.with(header::ETAG, tag).unless_known_to(&request)
}

/// A page that shows reviews changes without a new version of the product.
fn tag(listed: &ListedProduct, response: &Response) -> String {
    let version: Version = listed.product.version;
    if listed.rating.count() == 0 {
        etag::of_version(version)
    } else {
        etag::of_version_with(version, response.body.as_bytes())
    }
}
