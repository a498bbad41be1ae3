//! Invoked by hand: compares ratings with their reviews, and categories with their products; repairs them on request.

use app::{audit, table::Table, table_stream::TableStream};
use domain::{
    Error,
    id::ProductId,
    page::{Page, PageSize},
    product::Category,
};
use futures::{future::try_join_all, try_join};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One product, or a page of a category's products; with the first page, their number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    product_id: Option<ProductId>,
    category: Option<Value>,
    /// The position in the category after which to start: `next` of the previous output.
    after: Option<ProductId>,
    /// Whether to repair what differs.
    #[serde(default)]
    repair: bool,
    /// How long a difference must last without changes before it counts as drift, in seconds.
    #[serde(default = "audit::a_minute")]
    quiet_seconds: u64,
}

#[derive(Serialize)]
struct Output {
    checked: usize,
    drifted: Vec<RatingDrift>,
    /// The category, if the number of its products differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<audit::Drift<i64>>,
    /// The position of the next page of the category.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<ProductId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RatingDrift {
    product_id: ProductId,
    /// Reviews with one star, two, … five.
    #[serde(flatten)]
    drift: audit::Drift<[u64; 5]>,
}

app::clients! { table: Table, stream: TableStream }

fn main() -> runtime::Exit {
    runtime::step(compare)
}

async fn compare(app: &App, input: Input) -> Result<Output, Error> {
    let (category, Page { items, next }) = match (input.product_id, &input.category) {
        (Some(id), None) => (None, Page { items: vec![id], next: None }),
        (None, Some(category)) => {
            let category = Category::from_value(category.clone()).map_err(Error::Invalid)?;
            let page = app.table.products_of_category(&category, PageSize::DEFAULT, input.after).await?;
            (Some(category), page.map(|listed| listed.product.product_id))
        }
        _ => return Err(Error::internal("either productId or category is needed")),
    };
    let checked = items.len();
    let ratings = try_join_all(items.into_iter().map(|id| check_rating(app, id, &input)));
    let counters = check_category(app, category.filter(|_| input.after.is_none()), &input);
    let (drifted, category) = try_join!(ratings, counters)?;
    Ok(Output { checked, drifted: drifted.into_iter().flatten().collect(), category, next })
}

async fn check_rating(app: &App, id: ProductId, input: &Input) -> Result<Option<RatingDrift>, Error> {
    let recount = async || match app.table.recount(id).await {
        // The product was withdrawn in the meantime.
        Err(Error::NotFound { .. }) => Ok(None),
        recount => Ok(Some(recount?).filter(|recount| recount.stored != recount.counted)),
    };
    let Some(recount) = audit::lasting(recount, input.quiet_seconds).await? else { return Ok(None) };
    let repaired = input.repair && app.table.repair_rating(id, &recount, app.stream.label()).await?;
    let (stored, counted) = (recount.stored.histogram, recount.counted.histogram);
    Ok(Some(RatingDrift { product_id: id, drift: audit::Drift { stored, counted, repaired } }))
}

async fn check_category(
    app: &App,
    category: Option<Category>,
    input: &Input,
) -> Result<Option<audit::Drift<i64>>, Error> {
    let Some(category) = category else { return Ok(None) };
    let recount = async || {
        let recount = app.table.recount_category(&category).await?;
        Ok((!recount.agrees()).then_some(recount))
    };
    let Some(recount) = audit::lasting(recount, input.quiet_seconds).await? else { return Ok(None) };
    let repaired = input.repair && app.table.repair_category(&category, &recount).await?;
    let (stored, counted) = (recount.stored(), recount.counted());
    Ok(Some(audit::Drift { stored, counted, repaired }))
}
