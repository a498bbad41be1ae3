//! Step of product-delete: removes a hidden product for good.

use domain::{
    Error,
    id::{ProductId, UserId},
};
use runtime::App;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    product_id: ProductId,
    seller_id: UserId,
}

fn main() -> runtime::Exit {
    runtime::step(purge)
}

async fn purge(app: &App, input: Input) -> Result<(), Error> {
    app.table.purge_product(input.product_id, input.seller_id).await
}
