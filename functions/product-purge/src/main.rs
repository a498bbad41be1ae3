//! Step of product-delete: deletes a hidden product, its rating and its entry under the seller.

use app::table::Table;
use domain::{
    Error,
    id::{ProductId, UserId},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    product_id: ProductId,
    seller_id: UserId,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(purge)
}

async fn purge(app: &App, input: Input) -> Result<(), Error> {
    app.table.purge_product(input.product_id, input.seller_id).await
}
