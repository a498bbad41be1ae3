//! On a schedule: queues the watched items that are due, or looks at all of them at once (`{"all": true}`).

use app::{crawl_log::CrawlCounts, price_crawl::PriceCrawl};
use domain::Error;
use serde::Deserialize;

/// The event of the schedule, or of an operator.
#[derive(Deserialize)]
pub(crate) struct Input {
    /// Whether all items are looked at now, whenever they are due.
    #[serde(default)]
    all: bool,
}

app::clients! { crawl: PriceCrawl }

fn main() -> runtime::Exit {
    runtime::step(crawl)
}

/// Queues what is due, for shard-crawl. What is left of all items when the time is over is queued too.
pub(crate) async fn crawl(app: &App, Input { all }: Input) -> Result<CrawlCounts, Error> {
    if all {
        return app.crawl.crawl_all().await;
    }
    app.crawl.queue_due().await
}
