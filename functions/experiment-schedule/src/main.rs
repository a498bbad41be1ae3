//! On a schedule: starts, raises and stops experiments whose time has come, and counts the others.

use app::{
    experiment_results::ExperimentResults,
    experiments::{DueOutcome, Experiments},
    table::Table,
};
use domain::{Error, experiment::ExperimentStatus, experiment_count::SETTLES_SECONDS};
use serde::{Serialize, de::IgnoredAny};

/// How long after its beginning an invocation begins changes by time. The next one continues.
const CHANGES_SECONDS: u64 = 75;

/// How long after its beginning an invocation begins to look at guardrails.
const GUARDRAILS_SECONDS: u64 = 150;

/// How long after its beginning an invocation begins counts. The last one, which takes ten minutes at most, ends within the
/// function's timeout.
const COUNTS_SECONDS: u64 = 240;

/// What an invocation has done.
#[derive(Serialize, Default, Debug, PartialEq)]
pub(crate) struct Looked {
    /// The experiments that had to be looked at.
    pub found: usize,
    /// Those that were started, raised or stopped.
    pub changed: usize,
    /// Those that could not start.
    pub refused: usize,
    /// Those whose results were counted.
    pub counted: usize,
    #[serde(skip)]
    pub failure: Option<Error>,
}

app::clients! { table: Table, experiments: Experiments, results: ExperimentResults }

fn main() -> runtime::Exit {
    runtime::step(look)
}

/// Makes the changes whose time has come, which need no ClickHouse; then looks at guardrails, and then counts. An error of one
/// experiment does not keep it from the others; the first one is returned at the end, so that the invocation raises the alarm.
pub(crate) async fn look(app: &App, _schedule: IgnoredAny) -> Result<Looked, Error> {
    let now = app.now();
    let (mut looked, mut all, mut position) = (Looked::default(), Vec::new(), None);
    loop {
        let (due, next) = app.table.due_experiments(now, position).await?;
        looked.found += due.len();
        for found in due.iter().filter(|found| found.due_change(&[], now).is_some()) {
            looked.note(app.experiments.carry_out_due(found.experiment_id, &[], now).await);
        }
        all.extend(due);
        position = next;
        if position.is_none() || app.now() >= now.plus_seconds(CHANGES_SECONDS) {
            break;
        }
    }
    let since = now.minus_seconds(SETTLES_SECONDS);
    position = None;
    loop {
        let (stopped, next) = app.table.experiments_stopped_since(since, now, position).await?;
        all.extend(stopped);
        position = next;
        if position.is_none() {
            break;
        }
    }
    // Each invocation begins with another one: with a slow ClickHouse, all of them are reached in time.
    let first = usize::try_from(now.unix_milliseconds()).unwrap_or_default() % all.len().max(1);
    all.rotate_left(first);
    for found in all.iter().filter(|found| found.status == ExperimentStatus::Running) {
        if app.now() >= now.plus_seconds(GUARDRAILS_SECONDS) {
            break;
        }
        match app.results.worse_guardrails(found).await {
            Ok(worse) if worse.is_empty() => {}
            Ok(worse) => looked.note(app.experiments.carry_out_due(found.experiment_id, &worse, now).await),
            Err(Error::Unavailable { .. }) => break,
            Err(error) => looked.note(Err(error)),
        }
    }
    match app.results.refresh_until(now.plus_seconds(COUNTS_SECONDS), &all).await {
        Ok(counted) => looked.counted = counted,
        Err(error) => looked.note(Err(error)),
    }
    looked.failure.take().map_or(Ok(looked), Err)
}

impl Looked {
    fn note(&mut self, outcome: Result<DueOutcome, Error>) {
        match outcome {
            Ok(DueOutcome::Changed) => self.changed += 1,
            Ok(DueOutcome::Refused) => self.refused += 1,
            Ok(DueOutcome::Waits) => {}
            Err(error) => drop(self.failure.get_or_insert(error)),
        }
    }
}
