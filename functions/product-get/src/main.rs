//! `GET /products/{productId}`: a product with its stock, its rating and its newest reviews.

use app::{cache::Cache, table::Table};
use web::{
    Problem, Request, Response,
    product_document::{ProductDocument, REVIEWS_ON_PAGE},
};

app::clients! { table: Table, cache: Cache }

fn main() -> runtime::Exit {
    runtime::serve(get_product)
}

async fn get_product(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("productId")?;
    if !request.wants_fresh()
        && let Some(document) = app.cache.page(id).await
    {
        return document.into_response().unless_known_to(&request);
    }
    let page = app.table.product_page(id, REVIEWS_ON_PAGE).await?;
    let document = ProductDocument::render(&page)?;
    app.cache.fill(id, page.listed.version(), &document).await;
    document.into_response().unless_known_to(&request)
}
