//! `POST /concerts`: asks for a concert, with new bands and a new venue if need be; all of it comes about, or nothing.

use domain::{
    Error,
    concert::{ConcertDraft, ConcertRequest, Progress},
    idempotency::Once,
    user::Caller,
};
use runtime::{App, Execution};
use table::Recorded;
use web::{Asked, Problem, Request, Response, pages::ConcertStatus, problem::Kind, respond};

/// A request for a concert, and how it stands.
type Standing = (ConcertRequest, Progress);

fn main() -> runtime::Exit {
    runtime::serve(create_concert)
}

async fn create_concert(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, once) = Problem::both(request.json::<ConcertDraft>(), request.required_once())?;
    let asked = match app.table.concert_asked_before(caller.user_id, &once, request.received_at).await? {
        Some(id) => Asked { now: app.table.request(id).await?, replayed: true },
        None => record(app, &caller, draft, &once).await?,
    };
    let input = asked.now.0.clone();
    let id = input.concert_id;
    let execution = Execution { machine: "CONCERT_CREATE_MACHINE_ARN", name: &id.to_string(), input: &input };
    let look = async || app.table.request(id).await;
    let asked = app.see_through(&request, asked, execution, is_pending, look).await?;
    asked.answer(&request, &format!("/concerts/{id}"), answer(&asked.now))
}

/// Fixes what is asked for, and remembers it under its key.
async fn record(
    app: &App,
    caller: &Caller,
    draft: ConcertDraft,
    once: &Once,
) -> Result<Asked<Standing>, Error> {
    let known = app.table.known(&draft.existing_bands(), draft.existing_venue()).await?;
    let request = draft.resolve(caller, app.now(), &known, || app.random())?;
    Ok(match app.table.record_request(&request, once).await? {
        Recorded::Now => Asked { now: (request, Progress::Pending), replayed: false },
        Recorded::Before(id) => Asked { now: app.table.request(id).await?, replayed: true },
    })
}

fn is_pending((_, progress): &Standing) -> bool {
    *progress == Progress::Pending
}

fn answer((request, progress): &Standing) -> Result<Response, Problem> {
    match progress {
        Progress::Pending => {
            let (concert_id, progress) = (request.concert_id, progress.clone());
            respond::accepted(&ConcertStatus { concert_id, progress })
        }
        Progress::Done => respond::created(&request.concert()),
        Progress::Failed { reason } => {
            let detail = format!("The concert was not created: {} failed, {}.", reason.step, reason.detail);
            Err(Problem::new(Kind::ConcertNotCreated, detail))
        }
    }
}
