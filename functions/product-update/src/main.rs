//! `PATCH /products/{productId}`: changes a product, if the version in If-Match is current.

use app::{cache::Cache, table::Table};
use domain::{input::MergePatch, product::ListedProduct};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, cache: Cache }

fn main() -> runtime::Exit {
    runtime::serve(update_product)
}

async fn update_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path("productId")?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    let ListedProduct { product, rating } = app.table.listed_product(id).await?;
    let product = product.change(&caller, patch, &seen, request.received_at)?;
    app.table.replace_product(&product, app.new_writer()?).await?;
    let version = product.version;
    app.cache.invalidate(id, version).await;
    Ok(respond::ok(&ListedProduct { product, rating })?.etag(version))
}
