//! Table stream: keeps the cached page of each product up to date.

use domain::{Error, id::ProductId, product::ProductPage};
use runtime::{App, Now, Work};
use std::time::Duration;
use table::{Change, Changed};
use web::pages::{ProductDocument, REVIEWS_ON_PAGE};

/// How often the index is asked until it shows what the stream has told, and how long in between.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

fn main() -> runtime::Exit {
    runtime::consume(select, warm)
}

/// Whatever changes a product's page.
fn select(change: &Change) -> Option<(ProductId, Changed)> {
    let id = match change.of {
        Changed::Product(id) | Changed::Rating(id) => id,
        Changed::Review { product, .. } => product,
        Changed::Other => return None,
    };
    Some((id, change.of))
}

async fn warm(app: &App, id: ProductId, changes: Vec<Work<Changed>>) -> Result<(), Error> {
    let Some(place) = changes.last().map(|change| change.sequence.clone()) else { return Ok(()) };
    if !app.has_cache() {
        return Ok(());
    }
    let now = present(app, id, &changes).await?;
    app.put_into_cache(id, &place, &now).await
}

/// What the product is now, once the index shows what the stream has told.
async fn present(app: &App, id: ProductId, changes: &[Work<Changed>]) -> Result<Now, Error> {
    for _ in 0..LOOKS {
        let page = match app.table.present_page(id, REVIEWS_ON_PAGE).await {
            Err(Error::NotFound { .. }) => return Ok(Now::Gone),
            page => page?,
        };
        if is_up_to_date(app, &page, changes).await? {
            let document = ProductDocument::render(&page);
            return Ok(Now::There(document.map_err(|problem| Error::internal(problem.detail))?));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(Error::unavailable("the index does not show yet what the stream has told"))
}

/// Product and rating are read as they are; reviews come from an index that may lag behind.
async fn is_up_to_date(app: &App, page: &ProductPage, changes: &[Work<Changed>]) -> Result<bool, Error> {
    for change in changes {
        let Changed::Review { product, author, old, new } = &change.what else { continue };
        if page.reflects(*author, *old, *new) {
            continue;
        }
        // It may have been changed again since: what counts is what it is now.
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
