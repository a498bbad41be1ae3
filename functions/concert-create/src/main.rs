//! `POST /concerts`: asks for a concert, with new bands and a new venue if need be; all of it comes about, or nothing.

use domain::{
    Error,
    concert::{Concert, ConcertDraft, Progress},
    id::ConcertId,
    idempotency::Once,
    user::Caller,
};
use http::{StatusCode, header};
use runtime::App;
use std::time::Duration;
use table::Recorded;
use web::{
    Problem, Request, Response,
    pages::ConcertStatus,
    problem::Kind,
    respond::{self, IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED},
};

/// How often a request that is waited for is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

fn main() -> runtime::Exit {
    runtime::serve(create_concert)
}

async fn create_concert(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, once) = Problem::both(request.json::<ConcertDraft>(), request.required_once())?;
    let before = app.table.requested_before(caller.user_id, &once, request.received_at).await?;
    let (id, replayed) = match before {
        Some(id) => (id, true),
        None => record(app, &caller, draft, &once).await?,
    };
    let (asked, progress) = app.table.request(id).await?;
    // Whoever recorded the request may have died before starting the execution, which its name makes happen once.
    if progress == Progress::Pending {
        app.start("CONCERT_CREATE_MACHINE_ARN", &id.to_string(), &asked).await?;
    }
    let waited = request.wait_seconds();
    let progress = wait(app, id, progress, waited.unwrap_or_default()).await?;
    let mut response = answer(&asked.concert(), progress)?.with(header::LOCATION, format!("/concerts/{id}"));
    if let Some(seconds) = waited.filter(|_| response.status == StatusCode::CREATED) {
        response = response.with(PREFERENCE_APPLIED, format!("wait={seconds}"));
    }
    Ok(if replayed { response.with(IDEMPOTENCY_REPLAYED, "true") } else { response })
}

/// Fixes what is asked for, and remembers it under its key.
async fn record(
    app: &App,
    caller: &Caller,
    draft: ConcertDraft,
    once: &Once,
) -> Result<(ConcertId, bool), Error> {
    let known = app.table.known(&draft.existing_bands(), draft.existing_venue()).await?;
    let request = draft.resolve(caller, app.now(), &known, || app.random())?;
    Ok(match app.table.record_request(&request, once).await? {
        Recorded::Now => (request.concert_id, false),
        Recorded::Before(id) => (id, true),
    })
}

async fn wait(app: &App, id: ConcertId, progress: Progress, seconds: u64) -> Result<Progress, Error> {
    let end = app.now().plus_seconds(seconds);
    let mut progress = progress;
    while progress == Progress::Pending && app.now() < end {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        (_, progress) = app.table.request(id).await?;
    }
    Ok(progress)
}

fn answer(concert: &Concert, progress: Progress) -> Result<Response, Problem> {
    match progress {
        Progress::Pending => respond::accepted(&ConcertStatus { concert_id: concert.concert_id, progress }),
        Progress::Done => respond::created(concert),
        Progress::Failed { reason } => {
            let detail = format!("The concert was not created: {} failed, {}.", reason.step, reason.detail);
            Err(Problem::new(Kind::ConcertNotCreated, detail))
        }
    }
}
