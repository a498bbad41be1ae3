//! Table stream: keeps the rating of each product equal to what its reviews say, one write for each product and batch.

use domain::{Error, id::ProductId, rating::RatingChange};
use runtime::{App, Work};
use table::{Change, Changed};

fn main() -> runtime::Exit {
    runtime::consume(select, count)
}

/// A review that was written, rated anew or deleted.
pub fn select(change: &Change) -> Option<(ProductId, RatingChange)> {
    let Changed::Review { product, old, new, .. } = change.of else { return None };
    let change = RatingChange::of(old.map(|old| old.rating), new.map(|new| new.rating));
    (!change.is_nothing()).then_some((product, change))
}

async fn count(app: &App, product: ProductId, changes: Vec<Work<RatingChange>>) -> Result<(), Error> {
    let changes: Vec<_> = changes.into_iter().map(|change| (change.sequence, change.what)).collect();
    // A product that is gone has no rating, and a review of it changes nothing.
    app.table.count(product, &changes).await?;
    Ok(())
}
