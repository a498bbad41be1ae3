//! On a schedule: starts, raises and stops experiments whose time has come.

use app::{experiment_results::ExperimentResults, experiments::Experiments, table::Table};
use domain::{
    Error, Timestamp,
    experiment::{Experiment, ExperimentEffect},
};
use serde::{Serialize, de::IgnoredAny};

/// How long an invocation begins changes; it ends within the function's timeout. The next one continues.
const BUDGET_SECONDS: u64 = 75;

/// What an invocation has done.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The experiments that had to be looked at.
    pub found: usize,
    /// Those that were started, raised or stopped.
    pub changed: usize,
    /// Those that could not start.
    pub refused: usize,
}

app::clients! { table: Table, experiments: Experiments, results: ExperimentResults }

fn main() -> runtime::Exit {
    runtime::step(look)
}

/// Looks at every experiment that is due. An error of one does not keep it from the others; the first one is returned at the
/// end, so that the invocation fails and raises the alarm.
pub async fn look(app: &App, _schedule: IgnoredAny) -> Result<Looked, Error> {
    let now = app.now();
    let end = now.plus_seconds(BUDGET_SECONDS);
    let (mut looked, mut position, mut failure) = (Looked::default(), None, None);
    loop {
        let (due, next) = app.table.due_experiments(now, position).await?;
        for found in due {
            looked.found += 1;
            match change(app, &found, now, &mut looked).await {
                // The seller changed it at the same time: the next invocation looks again.
                Ok(()) | Err(Error::Stale { .. } | Error::NotFound { .. }) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        position = next;
        if position.is_none() || app.now() >= end {
            return failure.map_or(Ok(looked), Err);
        }
    }
}

/// Does what is due. The index may show an older version.
async fn change(app: &App, found: &Experiment, now: Timestamp, looked: &mut Looked) -> Result<(), Error> {
    let experiment = app.table.experiment(found.experiment_id).await?;
    let worse = app.results.worse_guardrails(&experiment).await?;
    let Some(due) = experiment.due_change(&worse, now) else { return Ok(()) };
    let effect = due.effect;
    match app.experiments.carry_out(due, now).await {
        Ok(_) => looked.changed += 1,
        Err(Error::Invalid(faults)) if effect == ExperimentEffect::Start => {
            app.experiments.refuse_start(&experiment, faults, now).await?;
            looked.refused += 1;
        }
        // Its prices were changed too often in the last half hour: the coverage rises later.
        Err(Error::Invalid(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
