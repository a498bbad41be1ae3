//! `PATCH /watchlist/{itemId}`: changes what the caller is told of an item.

use app::{
    alert_setting::AlertSetting,
    limits::{Limits, Watches},
    table::Table,
};
use domain::watch_draft::WatchPatch;
use web::{Problem, Request, Response, respond, watch_document::WatchDocument};

app::clients! { table: Table, setting: AlertSetting, limits: Limits<Watches> }

fn main() -> runtime::Exit {
    runtime::serve(update_watch)
}

async fn update_watch(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path_item()?;
    let patch: WatchPatch = request.merge_patch()?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let watch = app.table.watch(caller.user_id, id).await?;
    let wanted = patch.alerts.unwrap_or_else(|| watch.wanted());
    let (watch, item) = app.setting.set(caller.user_id, id, &wanted).await?;
    let items = [item];
    let looks = app.table.last_looks(&items).await?;
    let alerts = watch.wanted();
    respond::ok(&WatchDocument::new(&items[0], &alerts, looks.get(&id).copied()))
}
