//! Step of product-delete: removes a page of a product's reviews.

use domain::{Error, id::ProductId};
use runtime::App;
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

fn main() -> runtime::Exit {
    runtime::step(purge)
}

async fn purge(app: &App, input: Input) -> Result<Output, Error> {
    let purged = app.table.purge_reviews(input.product_id).await?;
    Ok(Output { deleted: purged.deleted, more: purged.more })
}
