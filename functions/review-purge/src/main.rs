//! Step of product-delete: deletes one page of a product's reviews.

use app::table::Table;
use domain::{Error, id::ProductId};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    product_id: ProductId,
}

#[derive(Serialize)]
struct Output {
    deleted: usize,
    /// Whether there may be more.
    more: bool,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(purge)
}

async fn purge(app: &App, input: Input) -> Result<Output, Error> {
    let purged = app.table.purge_reviews(input.product_id).await?;
    Ok(Output { deleted: purged.deleted, more: purged.more })
}
