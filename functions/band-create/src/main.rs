//! `POST /bands`: adds a band of the caller's.

use domain::{
    band::{Band, BandDraft},
    idempotency::Outcome,
};
use http::header;
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(create_band)
}

async fn create_band(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, once) = Problem::both(request.json::<BandDraft>(), request.once())?;
    let band_id = app.new_id()?;
    let band = Band { band_id, owner_id: caller.user_id, draft, created_at: request.received_at };
    let response = respond::created(&band)?.with(header::LOCATION, format!("/bands/{band_id}"));
    let answer = response.to_answer();
    match app.table.create_band(&band, once.as_ref().map(|once| (once, &answer))).await? {
        Outcome::Done => Ok(response),
        Outcome::Replayed(answer) => respond::replayed(answer),
    }
}
