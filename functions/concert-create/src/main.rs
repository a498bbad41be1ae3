//! `POST /concerts`: creates a concert, with new bands and a new venue if needed, all or nothing.

use app::{
    limits::{Concerts, Limits},
    machines::{ConcertCreate, Execution, Machines},
    table::Table,
};
use domain::{
    Error,
    concert::{ConcertDraft, ConcertRequest, Progress},
    idempotency::Idempotency,
    user::Caller,
};
use table::Recorded;
use web::{Problem, Request, Response, Submission, concert_status::ConcertStatus, problem::Kind, respond};

/// A request for a concert, and its progress.
type RequestState = (ConcertRequest, Progress);

app::clients! { table: Table, limits: Limits<Concerts>, machines: Machines<ConcertCreate> }

fn main() -> runtime::Exit {
    runtime::serve(create_concert)
}

async fn create_concert(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, idempotency) = Problem::both(request.json::<ConcertDraft>(), request.required_idempotency())?;
    let recorded =
        app.table.concert_recorded_before(caller.user_id, &idempotency, request.received_at).await?;
    let Submission { state, replayed } = match recorded {
        Some(id) => Submission { state: app.table.request(id).await?, replayed: true },
        None => record(app, &caller, draft, &idempotency).await?,
    };
    let input = state.0.clone();
    let id = input.concert_id;
    let execution = Execution { name: &id.to_string(), input: &input };
    let read = async || app.table.request(id).await;
    let state = app.machines.run_and_wait(execution, request.wait_seconds(), state, is_pending, read).await?;
    let answer = answer(&state);
    Submission { state, replayed }.respond(&request, &format!("/concerts/{id}"), answer)
}

/// Counts the request, resolves the draft, and records the request under its idempotency key.
async fn record(
    app: &App,
    caller: &Caller,
    draft: ConcertDraft,
    idempotency: &Idempotency,
) -> Result<Submission<RequestState>, Error> {
    app.limits.admit([&caller.user_id.to_string()], app.now()).await?;
    let known = app.table.referenced(&draft.existing_bands(), draft.existing_venue()).await?;
    let request = draft.resolve(caller, app.now(), &known, || app.random())?;
    Ok(match app.table.record_request(&request, idempotency).await? {
        Recorded::Now => Submission { state: (request, Progress::Pending), replayed: false },
        Recorded::Before(id) => Submission { state: app.table.request(id).await?, replayed: true },
    })
}

fn is_pending((_, progress): &RequestState) -> bool {
    *progress == Progress::Pending
}

fn answer((request, progress): &RequestState) -> Result<Response, Problem> {
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
