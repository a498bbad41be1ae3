//! `POST /watchlist`: watches a product's page for the caller.

use app::{
    alert_setting::AlertSetting,
    limits::{Limits, Watches},
    looks::Looks,
    table::Table,
};
use domain::watch_draft::WatchDraft;
use http::header;
use table::Watch;
use web::{
    Problem, Request, Response, respond,
    watch_document::{self, WatchDocument},
};

app::clients! { table: Table, looks: Looks, setting: AlertSetting, limits: Limits<Watches> }

fn main() -> runtime::Exit {
    runtime::serve(create_watch)
}

async fn create_watch(app: &App, request: Request) -> Result<Response, Problem> {
    let (caller, now) = (request.caller()?, request.received_at);
    let draft: WatchDraft = request.json()?;
    let address = app.looks.address(&draft.url);
    let address =
        address.map_err(|refused| watch_document::refused_address(refused.reason, refused.message))?;
    app.limits.admit([&caller.user_id.to_string()], now).await?;
    let (item_id, found) = app.looks.open(address, now).await?.map_err(watch_document::not_watchable)?;
    let watch = Watch::new(item_id, Vec::new(), now);
    let stored = app.table.create_watch(caller.user_id, &watch).await?;
    let is_new = stored == watch;
    let mut watched = (stored, app.looks.keep(item_id, found, now).await?);
    // The alerts are set after the item is stored, so that the caller is not alerted of what this look has found.
    if let Some(wanted) = draft.alerts {
        watched = app.setting.set(caller.user_id, item_id, &wanted).await?;
    }
    let (watch, item) = watched;
    let alerts = watch.wanted();
    let document = WatchDocument::new(&item, &alerts, Some(now));
    if is_new {
        Ok(respond::created(&document)?.with(header::LOCATION, format!("/watchlist/{item_id}")))
    } else {
        respond::ok(&document)
    }
}
