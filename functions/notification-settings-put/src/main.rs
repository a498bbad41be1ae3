//! `PUT /notifications/settings`: sets how the caller wants to be told.

use app::table::Table;
use domain::notification_settings::NotificationSettings;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(put_settings)
}

/// Sets the settings.
pub(crate) async fn put_settings(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let settings: NotificationSettings = request.json()?;
    app.table.put_notification_settings(caller.user_id, &settings).await?;
    respond::ok(&settings)
}
