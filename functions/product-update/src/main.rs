//! `PATCH /products/{productId}`: changes a product, if the version in If-Match is current.

use app::{
    cache::Cache,
    limits::{Limits, ProductChanges},
    overtaken::retry_overtaken,
    table::Table,
};
use domain::{
    Error, Timestamp,
    id::ProductId,
    input::MergePatch,
    product::{ListedProduct, Product},
    user::Caller,
    version::Seen,
};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, cache: Cache, limits: Limits<ProductChanges> }

fn main() -> runtime::Exit {
    runtime::serve(update_product)
}

async fn update_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path("productId")?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let listed = retry_overtaken(&seen, "the product", || {
        change(app, id, &caller, patch.clone(), &seen, request.received_at)
    });
    let listed = listed.await?;
    Ok(respond::ok(&listed)?.etag(listed.product.version))
}

async fn change(
    app: &App,
    id: ProductId,
    caller: &Caller,
    patch: MergePatch,
    seen: &Seen,
    now: Timestamp,
) -> Result<ListedProduct, Error> {
    let (listed, seller_name) =
        futures::try_join!(app.table.listed_product(id), app.table.display_name(caller.user_id))?;
    let (product, stock) = listed.product.change(caller, patch, seen, now)?;
    let from = &listed.product.draft.category;
    let product = Product { seller_name, ..product };
    let writer = app.new_writer()?;
    let listed = match stock {
        None => {
            app.table.replace_product(&product, from, writer).await?;
            ListedProduct { product, ..listed }
        }
        Some(stock) => {
            app.table.replace_product_and_stock(&product, from, stock, writer).await?;
            // The version of the stock, which orders change too, is known only after the change.
            let level = app.table.stock(id).await?;
            ListedProduct::new(product, &level, listed.rating)
        }
    };
    app.cache.invalidate(id, listed.version()).await;
    Ok(listed)
}
