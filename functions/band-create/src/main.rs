//! `POST /bands`: adds a band of the caller's.

use app::{
    limits::{Concerts, Limits},
    table::Table,
};
use domain::{
    band::{Band, BandDraft},
    idempotency::Creation,
};
use http::header;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<Concerts> }

fn main() -> runtime::Exit {
    runtime::serve(create_band)
}

async fn create_band(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, idempotency) = Problem::both(request.json::<BandDraft>(), request.idempotency())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let band_id = app.new_id()?;
    let band = Band { band_id, owner_id: caller.user_id, draft, created_at: request.received_at };
    let response = respond::created(&band)?.with(header::LOCATION, format!("/bands/{band_id}"));
    let answer = response.to_answer();
    match app.table.create_band(&band, idempotency.as_ref().map(|idempotency| (idempotency, &answer))).await?
    {
        Creation::New => Ok(response),
        Creation::Replayed(answer) => respond::replayed(answer),
    }
}
