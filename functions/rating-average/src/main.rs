//! Table stream: adds changed reviews to the ratings of their products, one write per product and batch.

use app::{
    dead_letters::{DeadLetters, RatingAverage},
    table::Table,
};
use domain::{Error, id::ProductId, rating::RatingChange};
use runtime::{DeadLetter, Selected};
use table::{Changed, StreamChange};

app::clients! { table: Table, dead_letters: DeadLetters<RatingAverage> }

fn main() -> runtime::Exit {
    runtime::consume(select, count, give_up)
}

/// Selects reviews that were created, deleted, or changed in their stars.
pub(crate) fn select(change: &StreamChange) -> Option<(ProductId, RatingChange)> {
    let Changed::Review { product, old, new, .. } = change.of else { return None };
    let change = RatingChange::of(old.map(|old| old.rating), new.map(|new| new.rating));
    (!change.is_nothing()).then_some((product, change))
}

async fn count(app: &App, product: ProductId, changes: Vec<Selected<RatingChange>>) -> Result<(), Error> {
    let changes: Vec<_> = changes.into_iter().map(|change| (change.position, change.change)).collect();
    // A deleted product has no rating; changes of its reviews are dropped.
    app.table.count(product, &changes).await?;
    Ok(())
}

async fn give_up(app: &App, letter: DeadLetter) -> Result<(), Error> {
    app.dead_letters.send(&letter).await
}
