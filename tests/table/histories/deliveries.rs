//! What Lambda does: it hands records to workers, of whom some stall or die.

use super::{Fate, Life, Luck, Shard, rating_average};
use domain::{Error, id::ProductId, rating::RatingChange};
use futures::{FutureExt, future::LocalBoxFuture, poll};
use proptest::test_runner::{TestCaseError, TestCaseResult};
use runtime::{Outcome, Work, work_through};
use serde_json::Value;
use std::{sync::Arc, task::Poll};
use table::Table;
use tests::{Fault, Wire};
use tokio::sync::Barrier;

/// A worker gets so many turns before Lambda takes it for dead: more than its requests and their retries take.
const TIME_OUT: u32 = 60;

/// How many records Lambda hands out at a time when all that is left is delivered.
const LAST_BATCHES: usize = 3;

/// A worker at a batch.
pub(super) struct Worker<'a> {
    work: LocalBoxFuture<'a, Outcome>,
    luck: Vec<Luck>,
}

impl<'a> Worker<'a> {
    fn start(table: &'a Table, records: &[Value], luck: &[Luck]) -> Self {
        let records = records.iter().map(|record| serde_json::from_value(record.clone()).unwrap()).collect();
        let count = move |product, changes| count(table, product, changes);
        let work = work_through(records, rating_average::select, count).boxed_local();
        Self { work, luck: luck.to_vec() }
    }

    /// Gives it so many turns; in each, every request that it has under way comes one step on.
    pub(super) async fn go_on(&mut self, wire: &Wire, turns: u32) -> Option<Outcome> {
        for _ in 0..turns {
            wire.take_sent();
            wire.next("UpdateItem", self.luck.iter().map(|luck| luck.fault()));
            let polled = poll!(&mut self.work);
            wire.heal();
            let met = wire.take_sent().len().min(self.luck.len());
            self.luck.drain(..met);
            if let Poll::Ready(outcome) = polled {
                return Some(outcome);
            }
            tokio::task::yield_now().await;
        }
        None
    }
}

/// As `rating-average` does it; that one needs a whole function's app.
async fn count(table: &Table, product: ProductId, changes: Vec<Work<RatingChange>>) -> Result<(), Error> {
    let changes: Vec<_> = changes.into_iter().map(|change| (change.sequence, change.what)).collect();
    table.count(product, &changes).await.map(drop)
}

impl Luck {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Good => Fault::Altered(Arc::new(|_| {})),
            Self::Refused => Fault::Throttled,
            Self::Lost => Fault::AnswerLost,
            Self::Hung => Fault::Held(Arc::new(Barrier::new(2))),
        }
    }
}

impl Life<'_> {
    /// Hands records of a shard to a worker; what Lambda hears decides where it goes on.
    pub(super) async fn deliver(
        &mut self,
        shard: usize,
        from: usize,
        size: usize,
        luck: &[Luck],
        fate: Fate,
    ) {
        let Shard { records, at } = &mut self.shards[shard];
        let batch = &records[from..(from + size).min(records.len())];
        if batch.is_empty() {
            return;
        }
        let mut worker = Worker::start(self.table, batch, luck);
        let turns = match fate {
            Fate::Answers | Fate::Unheard => TIME_OUT,
            Fate::Dies(turns) | Fate::Stalls(turns) => turns,
        };
        let outcome = worker.go_on(&self.world.wire, turns).await;
        match (fate, outcome) {
            (Fate::Stalls(_), None) => self.stalled.push(worker),
            (Fate::Unheard, _) | (_, None) => {}
            (_, Some(Outcome { failed: None })) => *at = (*at).max(from + batch.len()),
            (_, Some(Outcome { failed: Some((_, number, error)) })) => {
                assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
                let failed = batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == number);
                *at = (*at).max(from + failed.unwrap());
            }
        }
    }

    /// Nothing goes wrong any more, and all that is left in the stream is delivered.
    pub(super) async fn settle(&mut self) -> TestCaseResult {
        for shard in 0..self.shards.len() {
            while self.shards[shard].at < self.shards[shard].records.len() {
                let from = self.shards[shard].at;
                self.deliver(shard, from, LAST_BATCHES, &[], Fate::Answers).await;
                if self.shards[shard].at == from {
                    return Err(TestCaseError::fail("a batch makes no progress though nothing is wrong"));
                }
            }
        }
        for mut worker in std::mem::take(&mut self.stalled) {
            worker.go_on(&self.world.wire, TIME_OUT).await;
        }
        Ok(())
    }
}
