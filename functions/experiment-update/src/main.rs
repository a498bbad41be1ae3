//! `PATCH /experiments/{experimentId}`: changes, starts or stops an experiment, if the version in If-Match is current.

use app::{
    experiments::Experiments,
    limits::{ExperimentChanges, Limits},
    table::Table,
};
use domain::{Error, id::ExperimentId, input::MergePatch, version::Seen};
use web::{Problem, Request, Response, respond};

/// How often a change of any version (`If-Match: *`) is made again because another change came before it.
const TRIES: usize = 8;

app::clients! { table: Table, experiments: Experiments, limits: Limits<ExperimentChanges> }

fn main() -> runtime::Exit {
    runtime::serve(update_experiment)
}

/// Changes an experiment.
pub async fn update_experiment(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: ExperimentId = request.path("experimentId")?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    let now = request.received_at;
    app.limits.admit([&caller.user_id.to_string()], now).await?;
    for _ in 0..TRIES {
        let experiment = app.table.experiment(id).await?;
        let change = experiment.change(&caller, patch.clone(), &seen, now)?;
        match app.experiments.carry_out(change, now).await {
            Err(Error::Stale { .. }) if seen == Seen::Any => {}
            changed => {
                let changed = changed?;
                return Ok(respond::ok(&changed)?.etag(changed.version));
            }
        }
    }
    Err(Error::unavailable("other changes of the experiment always came first").into())
}
