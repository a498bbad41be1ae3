//! `POST /venues`: adds a venue of the caller's.

use app::{
    limits::{Concerts, Limits},
    table::Table,
};
use domain::{
    idempotency::Creation,
    venue::{Venue, VenueDraft},
};
use http::header;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<Concerts> }

fn main() -> runtime::Exit {
    runtime::serve(create_venue)
}

async fn create_venue(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, idempotency) = Problem::both(request.json::<VenueDraft>(), request.idempotency())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let venue_id = app.new_id()?;
    let venue = Venue { venue_id, owner_id: caller.user_id, draft, created_at: request.received_at };
    let response = respond::created(&venue)?.with(header::LOCATION, format!("/venues/{venue_id}"));
    let answer = response.to_answer();
    match app
        .table
        .create_venue(&venue, idempotency.as_ref().map(|idempotency| (idempotency, &answer)))
        .await?
    {
        Creation::New => Ok(response),
        Creation::Replayed(answer) => respond::replayed(answer),
    }
}
