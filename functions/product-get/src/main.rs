//! `GET /products/{productId}`: a product with its stock, its rating and its newest reviews.

use app::{cache::Cache, table::Table, visitors::Visitors};
use domain::id::ProductId;
use web::{
    Problem, Request, Response,
    product_document::{ProductDocument, REVIEWS_ON_PAGE},
};

app::clients! { table: Table, cache: Cache, visitors: Visitors }

fn main() -> runtime::Exit {
    runtime::serve(get_product)
}

async fn get_product(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("productId")?;
    let cached = if request.wants_fresh() { None } else { app.cache.page(id).await };
    let document = match cached {
        Some(document) => document,
        None => read(app, id).await?,
    };
    let visitor = if document.is_tested() { app.visitors.shown(&request).await? } else { None };
    document.into_response(visitor).unless_known_to(&request)
}

/// Reads the page, and fills the cache with it.
async fn read(app: &App, id: ProductId) -> Result<ProductDocument, Problem> {
    let page = app.table.product_page(id, REVIEWS_ON_PAGE).await?;
    let document = ProductDocument::render(&page)?;
    app.cache.fill(id, page.listed.version(), &document).await;
    Ok(document)
}
