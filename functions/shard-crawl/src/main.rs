//! Queue of crawls: looks at the items of a shard that are due, and queues what is left of them.

use app::price_crawl::{CrawlTask, PriceCrawl};
use domain::Error;

app::clients! { crawl: PriceCrawl }

fn main() -> runtime::Exit {
    runtime::drain(crawl)
}

/// Looks at the items. A message that is delivered twice has them looked at twice, and changes nothing twice.
pub(crate) async fn crawl(app: &App, task: CrawlTask) -> Result<(), Error> {
    app.crawl.crawl_shard(task).await
}
