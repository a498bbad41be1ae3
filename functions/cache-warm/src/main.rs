//! Table stream: writes the current page of each changed product to the cache.

use app::{
    cache::{Cache, CurrentPage},
    dead_letters::{CacheWarm, DeadLetters},
    table::Table,
};
use domain::{Error, id::ProductId, product::ProductPage};
use runtime::{DeadLetter, Selected};
use std::time::Duration;
use table::{Changed, StreamChange};
use web::product_document::{ProductDocument, REVIEWS_ON_PAGE};

/// The maximum number of reads until the index reflects the stream's changes, and the interval between them.
const INDEX_READS: usize = 20;
const READ_INTERVAL: Duration = Duration::from_millis(50);

app::clients! { table: Table, cache: Cache, dead_letters: DeadLetters<CacheWarm> }

fn main() -> runtime::Exit {
    runtime::consume(select, warm, give_up)
}

/// Selects the changes that affect a product's page.
fn select(change: &StreamChange) -> Option<(ProductId, Changed)> {
    let id = match change.of {
        Changed::Product(id) | Changed::Stock(id) | Changed::Rating(id) => id,
        Changed::Review { product, .. } => product,
        Changed::Other => return None,
    };
    Some((id, change.of))
}

async fn warm(app: &App, id: ProductId, changes: Vec<Selected<Changed>>) -> Result<(), Error> {
    let Some(position) = changes.last().map(|change| change.position.clone()) else { return Ok(()) };
    if !app.cache.exists() {
        return Ok(());
    }
    let now = present(app, id, &changes).await?;
    app.cache.put(id, &position, &now).await
}

/// The current page of the product, once the index reflects the stream's changes.
async fn present(app: &App, id: ProductId, changes: &[Selected<Changed>]) -> Result<CurrentPage, Error> {
    for _ in 0..INDEX_READS {
        let page = match app.table.present_page(id, REVIEWS_ON_PAGE).await {
            Err(Error::NotFound { .. }) => return Ok(CurrentPage::Withdrawn),
            page => page?,
        };
        if is_up_to_date(app, &page, changes).await? {
            let document =
                ProductDocument::render(&page).map_err(|problem| Error::internal(problem.detail))?;
            return Ok(CurrentPage::Page(page.listed.version(), document));
        }
        tokio::time::sleep(READ_INTERVAL).await;
    }
    Err(Error::unavailable("the index does not reflect the stream's changes yet"))
}

/// Whether the page's reviews reflect the changes: the index is eventually consistent. Product, stock and rating
/// are current.
async fn is_up_to_date(app: &App, page: &ProductPage, changes: &[Selected<Changed>]) -> Result<bool, Error> {
    for change in changes {
        let Changed::Review { product, author, old, new } = &change.change else { continue };
        if page.reflects(*author, *old, *new) {
            continue;
        }
        // The review may have changed again since, so the page is compared with its current state.
        let now = match app.table.review(*product, *author).await {
            Err(Error::NotFound { .. }) => None,
            review => Some(review?.outline()),
        };
        if !page.reflects(*author, old.or(*new), now) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn give_up(app: &App, letter: DeadLetter) -> Result<(), Error> {
    app.dead_letters.send(&letter).await
}
