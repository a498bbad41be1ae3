//! Step of flash-sale-crawl: reads and records items of a session, page by page, for 45 seconds at most.

use app::flash_sales::{SaleCrawl, SaleTask};
use domain::Error;

app::clients! { sales: SaleCrawl }

fn main() -> runtime::Exit {
    runtime::step(crawl)
}

async fn crawl(app: &App, task: SaleTask) -> Result<SaleTask, Error> {
    app.sales.crawl(task).await
}
