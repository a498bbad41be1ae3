//! Invoked by hand: compares ratings with their reviews, and repairs them on request.

use app::{table::Table, table_stream::TableStream};
use domain::{
    Error,
    id::ProductId,
    page::{Page, PageSize},
    product::Category,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use table::Recount;

/// One product, or a page of a category's products.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    product_id: Option<ProductId>,
    category: Option<Value>,
    /// The position in the category after which to start: `next` of the previous output.
    after: Option<ProductId>,
    /// Whether to repair ratings that differ.
    #[serde(default)]
    repair: bool,
    /// How long a difference must last without changes before it counts as drift, in seconds: at least the delay of the
    /// stream.
    #[serde(default = "a_minute")]
    quiet_seconds: u64,
}

fn a_minute() -> u64 {
    60
}

#[derive(Serialize)]
struct Output {
    checked: usize,
    drifted: Vec<Drift>,
    /// The position of the next page of the category.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<ProductId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Drift {
    product_id: ProductId,
    /// Reviews with one star, two, … five: as stored, and as counted.
    stored: [u64; 5],
    counted: [u64; 5],
    repaired: bool,
}

app::clients! { table: Table, stream: TableStream }

fn main() -> runtime::Exit {
    runtime::step(audit)
}

async fn audit(app: &App, input: Input) -> Result<Output, Error> {
    let Page { items, next } = match (input.product_id, input.category) {
        (Some(id), None) => Page { items: vec![id], next: None },
        (None, Some(category)) => {
            let category = Category::from_value(category).map_err(Error::Invalid)?;
            let page = app.table.products_of_category(&category, PageSize::DEFAULT, input.after).await?;
            page.map(|listed| listed.product.product_id)
        }
        _ => return Err(Error::internal("either productId or category is needed")),
    };
    let checked = items.len();
    let drifted =
        try_join_all(items.into_iter().map(|id| check(app, id, input.repair, input.quiet_seconds))).await?;
    Ok(Output { checked, drifted: drifted.into_iter().flatten().collect(), next })
}

async fn check(app: &App, id: ProductId, repair: bool, quiet_seconds: u64) -> Result<Option<Drift>, Error> {
    let Some(recount) = drift(app, id, quiet_seconds).await? else { return Ok(None) };
    let repaired = repair && app.table.repair_rating(id, &recount, app.stream.label()).await?;
    let (stored, counted) = (recount.stored.histogram, recount.counted.histogram);
    Ok(Some(Drift { product_id: id, stored, counted, repaired }))
}

/// A difference that is the same after `quiet_seconds`; one that the stream's delay causes disappears by then.
async fn drift(app: &App, id: ProductId, quiet_seconds: u64) -> Result<Option<Recount>, Error> {
    let Some(first) = recount(app, id).await?.filter(|recount| recount.stored != recount.counted) else {
        return Ok(None);
    };
    tokio::time::sleep(Duration::from_secs(quiet_seconds)).await;
    Ok(recount(app, id).await?.filter(|second| *second == first))
}

/// `None` when the product was withdrawn in the meantime.
async fn recount(app: &App, id: ProductId) -> Result<Option<Recount>, Error> {
    match app.table.recount(id).await {
        Err(Error::NotFound { .. }) => Ok(None),
        recount => recount.map(Some),
    }
}
