//! `GET /items/{itemId}/prices`: what an item's page said over time, newest first, and a summary.

use app::table::Table;
use domain::{
    Error, Timestamp,
    observation::ItemId,
    page::PageSize,
    price_summary::{PriceSummary, SUMMARY_DAYS},
    watched_item::WatchedItem,
};
use http::header;
use web::{Problem, Request, Response, cursor, price_document::PricePage, respond};

const DAY_SECONDS: u64 = 24 * 60 * 60;

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_prices)
}

async fn list_prices(app: &App, request: Request) -> Result<Response, Problem> {
    request.caller()?;
    let (id, now) = (request.path_item()?, request.received_at);
    let (size, before) = read(id, &request)?;
    let history = app.table.price_history(id, size, before).await?;
    let next = history.past.next.map(|next| cursor::encode(&list(id), &next));
    let page = PricePage::new(history.now.as_ref(), &history.past.items, before, next.as_deref());
    let page = match (&history.now, before) {
        (Some(item), _) => page.with_summary(summary(app, item, now).await?),
        (None, Some(_)) => page,
        (None, None) => return Err(Error::NotFound { what: "item" }.into()),
    };
    let response = respond::ok(&page)?;
    Ok(match next {
        Some(cursor) => {
            let link = format!("</items/{id}/prices?limit={}&cursor={cursor}>; rel=\"next\"", size.get());
            response.with(header::LINK, link)
        }
        None => response,
    })
}

async fn summary(app: &App, item: &WatchedItem, now: Timestamp) -> Result<PriceSummary, Error> {
    let since = now.minus_seconds(SUMMARY_DAYS * DAY_SECONDS);
    let mut past = app.table.recent_prices(item.item_id, since).await?;
    // A past price is stored before the item is replaced, and may be newer than the item that was read.
    past.retain(|past| past.since < item.since);
    Ok(PriceSummary::of(item, &past, now))
}

fn read(id: ItemId, request: &Request) -> Result<(PageSize, Option<Timestamp>), Problem> {
    let mut query = request.query();
    let (size, before) = (query.page_size(), query.cursor(&list(id)));
    query.finish(|| Some((size, before)))
}

/// The list that a cursor belongs to.
fn list(id: ItemId) -> String {
    format!("prices?item={id}")
}
