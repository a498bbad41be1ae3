//! Step of product-delete: hides this version of a product from all readers.

use app::table::Table;
use domain::{Error, deletion::DeletionRun};
use serde::Serialize;
use table::Hidden;

#[derive(Serialize)]
struct Output {
    /// `hidden`, or `superseded` when the product was changed in the meantime: then it is kept.
    outcome: &'static str,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(hide)
}

async fn hide(app: &App, run: DeletionRun) -> Result<Output, Error> {
    let outcome = match app.table.hide_product(run).await? {
        Hidden::Done | Hidden::Gone => "hidden",
        Hidden::Superseded(_) => "superseded",
    };
    if run.run > 0 {
        app.table.begin_deletion_run(&run).await?;
    }
    Ok(Output { outcome })
}
