//! `GET /flash-sales/current`: the sessions of flash sales that are on, or the items of one of them.

use app::{limits::Searches, table::Table};
use domain::{
    Error, Timestamp,
    flash_sale::{FlashSale, SaleId, SaleItem},
    observation::{ItemId, Observation},
    page::PageSize,
};
use serde::Serialize;
use web::{Problem, Request, Response, cursor, query, respond};

/// How long an answer may be stored: prices are crawled every 15 minutes.
const FRESH_SECONDS: u64 = 60;

#[derive(Serialize)]
struct Sessions<'a> {
    sessions: Vec<ShownSession<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSession<'a> {
    id: &'a SaleId,
    name: &'a str,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownItem<'a> {
    item_id: ItemId,
    #[serde(flatten)]
    observation: &'a Observation,
    url: &'a str,
}

app::clients! { table: Table, searches: Searches }

fn main() -> runtime::Exit {
    runtime::serve(current)
}

async fn current(app: &App, request: Request) -> Result<Response, Problem> {
    let (wanted, size, after) = read(&request)?;
    let now = request.received_at;
    app.searches.admit(&request.source_network(), now)?;
    let sales = app.table.flash_sales().await?;
    let response = match wanted {
        None => respond::ok(&Sessions { sessions: on(&sales, now).map(session).collect() })?,
        Some(id) => {
            let sale = on(&sales, now).find(|sale| sale.id.as_str() == id);
            let sale = sale.ok_or(Error::NotFound { what: "session of a flash sale" })?;
            let page = app.table.sale_items(&sale.id, size, after).await?;
            let items: Vec<_> = page.items.iter().map(item).collect();
            let next = page.next.map(|next| cursor::encode(&list(&id), &next));
            respond::page(&items, next.as_deref(), |cursor| {
                format!("/flash-sales/current?{}&limit={}&cursor={cursor}", list(&id), size.get())
            })?
        }
    };
    response.stored_for(fresh_seconds(&sales, now)).unless_known_to(&request)
}

fn read(request: &Request) -> Result<(Option<String>, PageSize, Option<ItemId>), Problem> {
    let mut query = request.query();
    query.needs(&["limit", "cursor"], "session");
    let session = query.optional("session", Ok);
    let size = query.page_size();
    let after = query.cursor(&session.as_deref().map(list).unwrap_or_default());
    query.finish(|| Some((session, size, after)))
}

/// The list that a cursor belongs to, as a query.
fn list(session: &str) -> String {
    query::encode(&[("session", session)])
}

fn on(sales: &[FlashSale], now: Timestamp) -> impl Iterator<Item = &FlashSale> {
    sales.iter().filter(move |sale| sale.is_on(now))
}

fn session(sale: &FlashSale) -> ShownSession<'_> {
    ShownSession { id: &sale.id, name: &sale.name, starts_at: sale.starts_at, ends_at: sale.ends_at }
}

fn item(sold: &SaleItem) -> ShownItem<'_> {
    ShownItem { item_id: sold.item_id, observation: &sold.observation, url: &sold.url }
}

/// How long this answer may be stored: until a session begins or ends, and for [`FRESH_SECONDS`] at most.
fn fresh_seconds(sales: &[FlashSale], now: Timestamp) -> u64 {
    let changes = sales.iter().flat_map(|sale| [sale.starts_at, sale.ends_at]).filter(|at| *at > now);
    let next = changes.min().map_or(FRESH_SECONDS, |at| at.unix_seconds() - now.unix_seconds());
    next.min(FRESH_SECONDS)
}
