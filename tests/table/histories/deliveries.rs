//! Simulates Lambda: it invokes workers with records; some workers stall or are killed.

use super::{Fate, Life, Luck, Shard, rating_average};
use domain::{Error, id::ProductId, rating::RatingChange};
use futures::{FutureExt, future::LocalBoxFuture, poll};
use proptest::test_runner::{TestCaseError, TestCaseResult};
use runtime::{BatchResult, FailedRecord, Selected, work_through};
use serde_json::Value;
use std::{sync::Arc, task::Poll};
use table::Table;
use tests::{Fault, Wire};
use tokio::sync::Barrier;

/// The timeout of a worker, in polls: more than its requests and their retries need.
const TIME_OUT: u32 = 60;

/// The batch size of the final deliveries.
const LAST_BATCHES: usize = 3;

/// An invocation that processes a batch.
pub(super) struct Worker<'a> {
    work: LocalBoxFuture<'a, BatchResult>,
    luck: Vec<Luck>,
}

impl<'a> Worker<'a> {
    fn start(table: &'a Table, records: &[Value], luck: &[Luck]) -> Self {
        let records = records.iter().map(|record| serde_json::from_value(record.clone()).unwrap()).collect();
        let count = move |product, changes| count(table, product, changes);
        let work = work_through(records, rating_average::select, count).boxed_local();
        Self { work, luck: luck.to_vec() }
    }

    /// Polls the worker this number of times; each poll advances all its outstanding requests by one step. Returns the
    /// result if the worker has completed.
    pub(super) async fn go_on(&mut self, wire: &Wire, turns: u32) -> Option<BatchResult> {
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

/// The work of `rating-average`, whose own function needs a complete app.
async fn count(table: &Table, product: ProductId, changes: Vec<Selected<RatingChange>>) -> Result<(), Error> {
    let changes: Vec<_> = changes.into_iter().map(|change| (change.position, change.change)).collect();
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
    /// Invokes a worker with records of a shard. The worker's response, if Lambda receives it, sets Lambda's position.
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
        let Some(first) = batch.first() else { return };
        // A batch comes from one stream.
        let same_stream = |record: &&Value| record["eventSourceARN"] == first["eventSourceARN"];
        let batch = &batch[..batch.iter().take_while(same_stream).count()];
        let mut worker = Worker::start(self.table, batch, luck);
        let turns = match fate {
            Fate::Answers | Fate::Unheard => TIME_OUT,
            Fate::Dies(turns) | Fate::Stalls(turns) => turns,
        };
        let outcome = worker.go_on(&self.world.wire, turns).await;
        match (fate, outcome) {
            (Fate::Stalls(_), None) => self.stalled.push(worker),
            (Fate::Unheard, _) | (_, None) => {}
            (_, Some(BatchResult { failed: None, dead })) => {
                assert!(dead.is_empty(), "{dead:?}");
                *at = (*at).max(from + batch.len());
            }
            (_, Some(BatchResult { failed: Some(FailedRecord { number, error, .. }), .. })) => {
                assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
                let failed = batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == number);
                *at = (*at).max(from + failed.unwrap());
            }
        }
    }

    /// Delivers all remaining records without faults, then continues the stalled workers.
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
