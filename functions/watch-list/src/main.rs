//! `GET /watchlist`: the items that the caller watches.

use app::table::Table;
use domain::{alert::Alert, observation::ItemId, watched_item::WatchedItem};
use std::collections::HashMap;
use table::Watch;
use web::{Problem, Request, Response, cursor, respond, watch_document::WatchDocument};

const LIST: &str = "watchlist";

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_watches)
}

async fn list_watches(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let mut query = request.query();
    let (size, after) = (query.page_size(), query.cursor(LIST));
    let (size, after) = query.finish(|| Some((size, after)))?;
    let page = app.table.watches_of(caller.user_id, size, after).await?;
    let ids: Vec<ItemId> = page.items.iter().map(|watch| watch.item_id).collect();
    let items = app.table.watched_items(&ids).await?;
    let looks = app.table.last_looks(&items).await?;
    let items: HashMap<ItemId, &WatchedItem> = items.iter().map(|item| (item.item_id, item)).collect();
    let alerts: Vec<Vec<Alert>> = page.items.iter().map(Watch::wanted).collect();
    let watched = ids.iter().zip(&alerts);
    let documents: Vec<_> = watched
        .filter_map(|(id, alerts)| Some(WatchDocument::new(items.get(id)?, alerts, looks.get(id).copied())))
        .collect();
    let next = page.next.map(|next| cursor::encode(LIST, &next));
    respond::page(&documents, next.as_deref(), |cursor| {
        format!("/watchlist?limit={}&cursor={cursor}", size.get())
    })
}
