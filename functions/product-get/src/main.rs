//! `GET /products/{productId}`: a product with its rating and its newest reviews.

use runtime::App;
use web::{
    Problem, Request, Response,
    pages::{ProductDocument, REVIEWS_ON_PAGE},
};

fn main() -> runtime::Exit {
    runtime::serve(get_product)
}

async fn get_product(app: &App, request: Request) -> Result<Response, Problem> {
    let id = request.path("productId")?;
    if !request.wants_fresh()
        && let Some(document) = app.cached_page(id).await
    {
        return document.into_response().unless_known_to(&request);
    }
    let document = ProductDocument::render(&app.table.product_page(id, REVIEWS_ON_PAGE).await?)?;
    app.fill_cache(id, &document).await;
    document.into_response().unless_known_to(&request)
}
