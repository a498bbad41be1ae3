//! On a schedule: undoes requests for concerts whose execution never started, ran out of time or has failed.

use app::{
    concert_undo::ConcertUndo,
    sweep::{self, Attempt, SweepAfter, Swept},
    table::Table,
};
use domain::{Error, Timestamp, id::ConcertId, saga::FailedStep};
use serde::de::IgnoredAny;

app::clients! { table: Table, undo: ConcertUndo, sweep_after: SweepAfter }

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

/// Finishes requests that are older than an execution may run.
pub(crate) async fn sweep(app: &App, _schedule: IgnoredAny) -> Result<Swept, Error> {
    let before = app.sweep_after.before(app.now());
    let page = async |position: &_| app.table.unfinished_requests(before, position).await;
    sweep::sweep(|| app.now(), page, async |id| finish(app, id, before).await).await
}

/// Undoes a request that is pending. One that has ended is undone once more, when no execution of it can be running any
/// more: an execution beside the one that ended it may have prepared items since. What is published is kept.
async fn finish(app: &App, id: ConcertId, before: Timestamp) -> Result<Attempt, Error> {
    let (request, ended_at) = match app.table.request_with_end(id).await {
        // It ended a day ago and has expired.
        Err(Error::NotFound { .. }) => return finished(app, id).await,
        request => request?,
    };
    if ended_at.is_some_and(|ended_at| ended_at >= before) {
        return Ok(Attempt::Left);
    }
    let reason = FailedStep::new("concert-create".to_owned(), "States.Timeout");
    app.undo.undo(&request, reason, app.now()).await?;
    if ended_at.is_none() { Ok(Attempt::Left) } else { finished(app, id).await }
}

async fn finished(app: &App, id: ConcertId) -> Result<Attempt, Error> {
    app.table.finish_request(id).await?;
    Ok(Attempt::Settled)
}
