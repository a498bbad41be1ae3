//! Sweeps: functions on a schedule that finish what nobody works on any more.

use crate::{
    client::{Client, Needs},
    context::Context,
    machines::{Execution, Machines, Standard},
};
use domain::{Error, Timestamp, deletion::Run};
use futures::{StreamExt, stream};
use serde::Serialize;
use table::SweepPosition;

/// The maximum number of attempts that are made concurrently.
const CONCURRENCY: usize = 8;

/// How long a sweep begins attempts; it ends within the function's timeout. The next sweep continues.
const BUDGET_SECONDS: u64 = 75;

/// The result of an attempt to finish a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The work is finished, or handed to an execution.
    Settled,
    /// It is left as it is for now: somebody else works on it, or it is not due.
    Left,
    /// It could not be finished, and is tried again later.
    Failed,
    /// It could not be finished, and is left to a person.
    GivenUp,
}

/// The numbers of pieces of unfinished work that are old enough.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
pub struct Swept {
    /// All of them, unless the time did not suffice.
    pub found: usize,
    /// Those that were settled.
    pub settled: usize,
    /// Those that could not be settled; they are tried again later.
    pub failed: usize,
    /// Those that are left to a person.
    pub stuck: usize,
}

impl Swept {
    fn count(&mut self, attempt: Attempt) {
        match attempt {
            Attempt::Left => {}
            Attempt::Settled => self.settled += 1,
            Attempt::Failed => self.failed += 1,
            Attempt::GivenUp => self.stuck += 1,
        }
    }
}

/// Reads a list of unfinished work page by page, and attempts to finish each piece. An error of one attempt does not keep
/// the sweep from the others; the first error is returned at the end, so that the invocation fails and raises the alarm.
pub async fn sweep<W>(
    now: impl Fn() -> Timestamp,
    page: impl AsyncFn(&SweepPosition) -> Result<(Vec<W>, SweepPosition), Error>,
    attempt: impl AsyncFn(W) -> Result<Attempt, Error>,
) -> Result<Swept, Error> {
    let end = now().plus_seconds(BUDGET_SECONDS);
    let (mut swept, mut position, mut failure) = (Swept::default(), SweepPosition::start(), None);
    while !position.is_end() && now() < end {
        let (found, next) = page(&position).await?;
        position = next;
        swept.found += found.len();
        let in_time = async |work| if now() < end { attempt(work).await } else { Ok(Attempt::Left) };
        let mut attempts = stream::iter(found).map(in_time).buffer_unordered(CONCURRENCY);
        while let Some(result) = attempts.next().await {
            match result {
                Ok(attempt) => swept.count(attempt),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }
    failure.map_or(Ok(swept), Err)
}

/// Starts the next run of a deletion unless the last one is running, and records it with `begin`. If the function dies between the
/// start and the record, the next sweep starts the same run again, which has no effect, and records it.
pub async fn begin_next_run<M: Standard, R: Run>(
    machines: &Machines<M>,
    last: R,
    begin: impl AsyncFnOnce(&R) -> Result<(), Error>,
) -> Result<Attempt, Error> {
    if machines.is_running(&last.name()).await? {
        return Ok(Attempt::Left);
    }
    let next = last.next();
    machines.start(Execution { name: &next.name(), input: &next }).await?;
    begin(&next).await?;
    Ok(Attempt::Settled)
}

/// The minimum age of work that a sweep processes. The execution of younger work may be about to start, and a younger
/// event may be on its way to the webhook.
pub struct SweepAfter {
    seconds: u64,
}

impl SweepAfter {
    /// The latest creation time of work that is old enough.
    pub fn before(&self, now: Timestamp) -> Timestamp {
        now.minus_seconds(self.seconds)
    }
}

impl Client for SweepAfter {
    const NEEDS: Needs = Needs { settings: &["SWEEP_AFTER_SECONDS"], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { seconds: context.settings().number("SWEEP_AFTER_SECONDS")? })
    }
}
