//! Step of product-delete: hides this version of a product from all readers.

use app::table::Table;
use domain::{Error, Version, id::ProductId};
use serde::{Deserialize, Serialize};
use table::Hidden;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    product_id: ProductId,
    version: Version,
}

#[derive(Serialize)]
struct Output {
    /// `hidden`, or `superseded` when the product was changed in the meantime: then it is kept.
    outcome: &'static str,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(hide)
}

async fn hide(app: &App, input: Input) -> Result<Output, Error> {
    let outcome = match app.table.hide_product(input.product_id, input.version).await? {
        Hidden::Done | Hidden::Gone => "hidden",
        Hidden::Superseded(_) => "superseded",
    };
    Ok(Output { outcome })
}
