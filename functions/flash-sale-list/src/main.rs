//! Step of flash-sale-crawl: reads the sessions of the source, stores them, and returns those that are on.

use app::flash_sales::{ListedSales, SaleSource};
use domain::Error;
use serde::de::IgnoredAny;

app::clients! { source: SaleSource }

fn main() -> runtime::Exit {
    runtime::step(list)
}

async fn list(app: &App, _schedule: IgnoredAny) -> Result<ListedSales, Error> {
    app.source.list().await
}
