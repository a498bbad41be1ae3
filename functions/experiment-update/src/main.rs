//! `PATCH /experiments/{experimentId}`: changes, starts or stops an experiment, if the version in If-Match is current.

use app::{
    experiments::Experiments,
    limits::{ExperimentChanges, Limits},
    overtaken::retry_overtaken,
    table::Table,
};
use domain::{id::ExperimentId, input::MergePatch};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, experiments: Experiments, limits: Limits<ExperimentChanges> }

fn main() -> runtime::Exit {
    runtime::serve(update_experiment)
}

/// Changes an experiment.
pub(crate) async fn update_experiment(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: ExperimentId = request.path("experimentId")?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    let now = request.received_at;
    app.limits.admit([&caller.user_id.to_string()], now).await?;
    let changed = retry_overtaken(&seen, "the experiment", || async {
        let change = app.table.experiment(id).await?.change(&caller, patch.clone(), &seen, now)?;
        app.experiments.carry_out(change, now).await
    });
    let changed = changed.await?;
    Ok(respond::ok(&changed)?.etag(changed.version))
}
