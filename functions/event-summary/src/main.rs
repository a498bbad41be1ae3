//! `GET /events/summary`: how often which events of the caller's product or experiment happened on which day.

use analytics::DayCount;
use app::{clickhouse::ClickHouse, table::Table};
use domain::{
    Error, Timestamp,
    event_summary::{self, SummaryOf, SummaryPeriod},
    user::Caller,
};
use serde::Serialize;
use web::{Problem, Request, Response, respond};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    items: Vec<DayCount>,
    /// Unknown before the first probe has arrived.
    as_of: Option<Timestamp>,
}

app::clients! { table: Table, clickhouse: ClickHouse }

fn main() -> runtime::Exit {
    runtime::serve(summarize_events)
}

async fn summarize_events(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (of, period) = read(&request)?;
    require_owner(app, &of, &caller).await?;
    let store = app.clickhouse.events().await?;
    // The probe first: what came before it is then counted.
    let as_of = store.newest_probe().await?;
    let items = store.summary(&of, period).await?;
    respond::ok(&Summary { items, as_of })
}

/// Someone else's product or experiment is not found.
async fn require_owner(app: &App, of: &SummaryOf, caller: &Caller) -> Result<(), Error> {
    let (owner, what) = match of {
        SummaryOf::Product(id) => (app.table.seller_of(*id).await?, "product"),
        SummaryOf::Experiment(id) => (app.table.experiment(*id).await?.owner_id, "experiment"),
    };
    if owner == caller.user_id { Ok(()) } else { Err(Error::NotFound { what }) }
}

fn read(request: &Request) -> Result<(SummaryOf, SummaryPeriod), Problem> {
    let mut query = request.query();
    query.together(&["productId"], "experimentId");
    let product = query
        .optional("productId", |text| text.parse().map_err(|_| "must be the id of a product".to_owned()));
    let experiment = query.optional("experimentId", |text| match (product, text.parse()) {
        (Some(_), _) => Err("must not be given with productId".to_owned()),
        (None, id) => id.map_err(|_| "must be the id of an experiment".to_owned()),
    });
    let of = product.map(SummaryOf::Product).or(experiment.map(SummaryOf::Experiment));
    let to = query.optional("to", |text| event_summary::end(&text));
    let from = query.optional("from", |text| event_summary::beginning(&text));
    let period = query.checked("from", SummaryPeriod::new(from, to, request.received_at));
    query.finish(|| Some((of?, period?)))
}
