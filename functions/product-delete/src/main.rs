//! `DELETE /products/{productId}`: withdraws a product that the caller has seen.

use domain::Error;
use runtime::App;
use serde_json::json;
use table::Hidden;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(delete_product)
}

async fn delete_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path("productId")?;
    let seen = request.if_match()?;
    let product = app.table.product(id).await?;
    product.withdraw(&caller, &seen)?;
    // The machine is started first. If this function dies after that, the machine hides the product; if it died the
    // other way round, a hidden product would never be removed.
    let input = json!({"productId": id, "sellerId": product.seller_id, "version": product.version});
    app.start("PRODUCT_DELETE_MACHINE_ARN", &format!("{id}-{}", product.version), &input).await?;
    match app.table.hide_product(id, product.version).await? {
        Hidden::Done | Hidden::Gone => {
            app.tell_cache_gone(id).await;
            Ok(respond::no_content())
        }
        Hidden::Superseded(current) => Err(Error::Stale { current }.into()),
    }
}
