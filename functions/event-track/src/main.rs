//! `POST /events` and `POST /v1/batch`: takes the events of visitors, many in one request, and stores them.

use app::{limits::EventUploads, table::Table};
use domain::{Error, bot::is_bot, event_batch::EventUpload};
use http::header;
use serde_json::json;
use web::{Problem, Request, Response, problem::Kind, respond};

app::clients! { table: Table, uploads: EventUploads }

fn main() -> runtime::Exit {
    runtime::serve(track_events)
}

/// Takes a batch whole or not at all. A batch whose events are all of types that are not stored is taken without a write.
async fn track_events(app: &App, request: Request) -> Result<Response, Problem> {
    app.uploads.admit(&request.source_network(), request.received_at)?;
    let batch = request.json::<EventUpload>()?.received(request.received_at)?;
    let batch = batch.from_bot(request.header(&header::USER_AGENT).is_some_and(is_bot));
    if !batch.is_empty() {
        app.table.store_events(&batch).await.map_err(problem)?;
    }
    respond::accepted(&json!({"batchId": batch.id.to_string(), "events": batch.len()}))
}

fn problem(error: Error) -> Problem {
    match error {
        Error::KeyReused => {
            Problem::new(Kind::IdempotencyMismatch, "The batchId was used before with other events.")
        }
        other => other.into(),
    }
}
