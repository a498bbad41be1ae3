//! `PUT /products/{productId}/stock`: sets the stock of a product, or adds to it.

use app::{
    cache::Cache,
    limits::{Limits, ProductChanges},
    table::Table,
};
use domain::{
    Timestamp,
    id::ProductId,
    product::PageVersion,
    stock::{Stock, StockChange},
};
use serde::Serialize;
use table::Recorded;
use web::{Problem, Request, Response, respond};

/// The stock as it is now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    product_id: ProductId,
    stock: Stock,
    updated_at: Timestamp,
}

app::clients! { table: Table, cache: Cache, limits: Limits<ProductChanges> }

fn main() -> runtime::Exit {
    runtime::serve(set_stock)
}

async fn set_stock(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path("productId")?;
    let (change, idempotency) = Problem::both(request.json::<StockChange>(), request.idempotency())?;
    change.require_key(idempotency.is_some())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let product = app.table.product(id).await?;
    product.owned_by(&caller)?;
    let now = request.received_at;
    let recorded = app.table.change_stock(id, product.seller_id, change, idempotency.as_ref(), now).await?;
    let level = app.table.stock(id).await?;
    app.cache.invalidate(id, PageVersion { product: product.version, stock: level.version }).await;
    let answer = Answer { product_id: id, stock: level.stock, updated_at: level.updated_at };
    let response = respond::ok(&answer)?;
    match recorded {
        Recorded::Now => Ok(response),
        Recorded::Before(_) => respond::replayed(response.to_answer()),
    }
}
