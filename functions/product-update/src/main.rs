//! `PATCH /products/{productId}`: changes the version of a product that the caller has seen.

use domain::{input::MergePatch, product::ListedProduct};
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(update_product)
}

async fn update_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path("productId")?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    let ListedProduct { product, rating } = app.table.listed_product(id).await?;
    let product = product.change(&caller, patch, &seen, request.received_at)?;
    app.table.replace_product(&product, app.random()?).await?;
    let version = product.version;
    app.tell_cache(id, version).await;
    Ok(respond::ok(&ListedProduct { product, rating })?.etag(version))
}
