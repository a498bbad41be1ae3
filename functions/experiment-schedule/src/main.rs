//! On a schedule: starts, raises and stops experiments whose time has come, and counts the others.

use app::{experiment_results::ExperimentResults, experiments::Experiments, table::Table};
use domain::{
    Error, Timestamp,
    experiment::{Experiment, ExperimentEffect},
    experiment_count::SETTLES_SECONDS,
};
use serde::{Serialize, de::IgnoredAny};

/// How long an invocation begins changes. The next one continues.
const CHANGES_SECONDS: u64 = 75;

/// How long after its beginning an invocation begins counts. The last one, which takes ten minutes at most, ends within the
/// function's timeout.
const COUNTS_SECONDS: u64 = 240;

/// What an invocation has done.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The experiments that had to be looked at.
    pub found: usize,
    /// Those that were started, raised or stopped.
    pub changed: usize,
    /// Those that could not start.
    pub refused: usize,
    /// Those whose results were counted.
    pub counted: usize,
}

app::clients! { table: Table, experiments: Experiments, results: ExperimentResults }

fn main() -> runtime::Exit {
    runtime::step(look)
}

/// Looks at every experiment that is due, and then counts those that run or were just stopped. An error of one does not keep
/// it from the others; the first one is returned at the end, so that the invocation fails and raises the alarm.
pub async fn look(app: &App, _schedule: IgnoredAny) -> Result<Looked, Error> {
    let now = app.now();
    let (mut looked, mut counted, mut failure) = (Looked::default(), Vec::new(), None);
    let mut position = None;
    loop {
        let (due, next) = app.table.due_experiments(now, position).await?;
        looked.found += due.len();
        for found in &due {
            match change(app, found, now, &mut looked).await {
                // The seller changed it at the same time: the next invocation looks again.
                Ok(()) | Err(Error::Stale { .. } | Error::NotFound { .. }) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        counted.extend(due);
        position = next;
        if position.is_none() || app.now() >= now.plus_seconds(CHANGES_SECONDS) {
            break;
        }
    }
    let since = now.minus_seconds(SETTLES_SECONDS);
    position = None;
    loop {
        let (stopped, next) = app.table.experiments_stopped_since(since, now, position).await?;
        counted.extend(stopped);
        position = next;
        if position.is_none() {
            break;
        }
    }
    match app.results.refresh_until(now.plus_seconds(COUNTS_SECONDS), &counted).await {
        Ok(made) => looked.counted = made,
        Err(error) => failure = failure.or(Some(error)),
    }
    failure.map_or(Ok(looked), Err)
}

/// Does what is due. The index may show an older version.
async fn change(app: &App, found: &Experiment, now: Timestamp, looked: &mut Looked) -> Result<(), Error> {
    if found.due_change(&found.draft.metrics.guardrails, now).is_none() {
        return Ok(());
    }
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
