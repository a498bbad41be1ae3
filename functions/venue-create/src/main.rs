//! `POST /venues`: adds a venue of the caller's.

use domain::{
    idempotency::Outcome,
    venue::{Venue, VenueDraft},
};
use http::header;
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(create_venue)
}

async fn create_venue(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, once) = Problem::both(request.json::<VenueDraft>(), request.once())?;
    let venue_id = app.new_id()?;
    let venue = Venue { venue_id, owner_id: caller.user_id, draft, created_at: request.received_at };
    let response = respond::created(&venue)?.with(header::LOCATION, format!("/venues/{venue_id}"));
    let answer = response.to_answer();
    match app.table.create_venue(&venue, once.as_ref().map(|once| (once, &answer))).await? {
        Outcome::Done => Ok(response),
        Outcome::Replayed(answer) => respond::replayed(answer),
    }
}
