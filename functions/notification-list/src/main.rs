//! `GET /notifications`: what the caller was told about watched items, newest first.

use app::table::Table;
use domain::{
    notification::{Notification, NotificationId},
    page::PageSize,
};
use serde::Serialize;
use web::{Problem, Request, Response, cursor, respond};

/// A notification with its id.
#[derive(Serialize)]
struct Listed {
    id: String,
    #[serde(flatten)]
    notification: Notification,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_notifications)
}

/// Lists notifications.
pub(crate) async fn list_notifications(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (size, after) = read(&request)?;
    let page = app.table.notifications(caller.user_id, size, after.as_ref()).await?;
    let page = page.map(|notification| Listed { id: notification.id().to_string(), notification });
    let next = page.next.map(|next| cursor::encode("", &next));
    respond::page(&page.items, next.as_deref(), |cursor| {
        format!("/notifications?limit={}&cursor={cursor}", size.get())
    })
}

fn read(request: &Request) -> Result<(PageSize, Option<NotificationId>), Problem> {
    let mut query = request.query();
    let size = query.page_size();
    let after = query.cursor("");
    query.finish(|| Some((size, after)))
}
