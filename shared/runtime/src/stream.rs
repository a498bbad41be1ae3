//! Batches of the table's stream.
//!
//! A consumer gives two functions: one selects changes and returns their group key, the other processes the changes of
//! one group in stream order. This module does parsing, grouping, concurrency and partial batch failures.

use crate::{
    Exit,
    application::{self, Application, Host},
    telemetry::{Invocation, LogRecord},
};
use domain::Error;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, convert::Infallible, hash::Hash, panic::AssertUnwindSafe};
use table::{Position, StreamChange, StreamRecord};

/// The maximum number of groups that are processed concurrently.
const CONCURRENCY: usize = 16;

/// One change that a consumer has selected.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected<W> {
    /// The position of the change in the stream.
    pub position: Position,
    /// The value that the consumer's `select` returned for the change.
    pub change: W,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    records: Vec<StreamRecord>,
}

/// The partial batch response: Lambda retries from this record on. An empty list means that the batch succeeded.
#[derive(Serialize, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Serialize, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

/// The result of a batch.
#[derive(Debug, Default, PartialEq)]
pub struct BatchResult {
    /// The first record of the batch that failed.
    pub failed: Option<FailedRecord>,
}

/// A record that failed, or the first record of a group that did.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedRecord {
    /// Its position in the batch.
    pub position: usize,
    /// Its sequence number, as the stream wrote it.
    pub number: String,
    /// The cause.
    pub error: Error,
}

impl BatchResult {
    fn fail(&mut self, record: FailedRecord) {
        if self.failed.as_ref().is_none_or(|first| record.position < first.position) {
            self.failed = Some(record);
        }
    }
}

type Batch = dyn Fn(Vec<StreamRecord>) -> LocalBoxFuture<'static, BatchResult>;

/// Processes batches of the stream until the function is stopped.
///
/// `select` returns the group key of a change, or `None` to skip it. `work` processes the changes of one group in
/// stream order; groups are processed concurrently. When a group fails, Lambda redelivers every record from the group's
/// first on, including records of other groups, so `work` must be idempotent.
pub fn consume<A, K, W, S, H, F>(select: S, work: H) -> Exit
where
    A: Application,
    K: Hash + Eq + Clone + 'static,
    W: 'static,
    S: Fn(&StreamChange) -> Option<(K, W)> + Clone + 'static,
    H: Fn(&'static A, K, Vec<Selected<W>>) -> F + Clone + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
{
    let app: &'static A = application::start()?;
    consume_boxed(app, &move |records| {
        let (select, work) = (select.clone(), work.clone());
        work_through(records, select, move |key, changes| work(app, key, changes)).boxed_local()
    })
}

fn consume_boxed(host: &'static dyn Host, batch: &Batch) -> Exit {
    application::run(host, async {
        let service = service_fn(move |event: LambdaEvent<Event>| answer(host, batch, event));
        Runtime::new(service).run().await
    })
}

async fn answer(host: &dyn Host, batch: &Batch, event: LambdaEvent<Event>) -> Result<Answer, Infallible> {
    let invocation = Invocation::begin(host.now());
    let BatchResult { failed } = batch(event.payload.records).await;
    let cause =
        failed.as_ref().map(|FailedRecord { number, error, .. }| format!("record {number}: {error:?}"));
    invocation.end(&LogRecord {
        request_id: &event.context.request_id,
        route: "stream",
        status: if cause.is_some() { 500 } else { 200 },
        response_bytes: 0,
        units: host.take_units(),
        error: cause.as_ref().map(|_| "record-failed"),
        cause: cause.as_deref(),
    });
    let failure = |failed: FailedRecord| ItemFailure { item_identifier: failed.number };
    Ok(Answer { batch_item_failures: failed.map(failure).into_iter().collect() })
}

/// A group: its key, the position of its first record in the batch, that record's sequence number, its changes.
struct Group<K, W> {
    key: K,
    position: usize,
    number: String,
    changes: Vec<Selected<W>>,
}

/// Processes one batch, as [`consume`] does.
pub async fn work_through<K, W, F>(
    records: Vec<StreamRecord>,
    select: impl Fn(&StreamChange) -> Option<(K, W)>,
    work: impl Fn(K, Vec<Selected<W>>) -> F,
) -> BatchResult
where
    K: Hash + Eq + Clone,
    F: Future<Output = Result<(), Error>>,
{
    let mut outcome = BatchResult::default();
    let mut groups: Vec<Group<K, W>> = Vec::new();
    let mut group_of: HashMap<K, usize> = HashMap::new();
    for (position, record) in records.into_iter().enumerate() {
        let number = record.sequence_number().to_owned();
        let change = match record.read() {
            Ok(change) => change,
            Err(error) => {
                outcome.fail(FailedRecord { position, number, error });
                // Later records are redelivered in any case, and processing them now could break their order.
                break;
            }
        };
        let Some((key, selected)) = select(&change) else { continue };
        let index = *group_of.entry(key.clone()).or_insert_with(|| {
            groups.push(Group { key, position, number, changes: Vec::new() });
            groups.len() - 1
        });
        groups[index].changes.push(Selected { position: change.position, change: selected });
    }
    let done = stream::iter(groups).map(|Group { key, position, number, changes }| {
        let work = AssertUnwindSafe(work(key, changes)).catch_unwind();
        async move {
            let result = work.await.unwrap_or_else(|_| Err(Error::internal("panic")));
            result.map_err(|error| FailedRecord { position, number, error })
        }
    });
    let mut done = done.buffer_unordered(CONCURRENCY);
    while let Some(result) = done.next().await {
        if let Err(record) = result {
            outcome.fail(record);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::cell::RefCell;
    use table::Changed;

    /// The sample event, with other keys and sequence numbers: one review of each of these products.
    fn records(products: &[u8]) -> Vec<StreamRecord> {
        let event: Value = serde_json::from_str(include_str!("../../../events/stream.json")).unwrap();
        let record = |(index, product): (usize, &u8)| {
            let text = event["Records"][0]
                .to_string()
                .replace("7202-8202-020202020202", &format!("7202-8202-0202020202{product:02}"));
            let mut record: Value = serde_json::from_str(&text).unwrap();
            record["dynamodb"]["SequenceNumber"] = json!((index + 1).to_string());
            serde_json::from_value(record).unwrap()
        };
        products.iter().enumerate().map(record).collect()
    }

    fn product_of(StreamChange { of, .. }: &StreamChange) -> Option<(String, ())> {
        match of {
            Changed::Review { product, .. } => Some((product.to_string()[34..].to_owned(), ())),
            _ => None,
        }
    }

    fn run(products: &[u8], failing: &[&str]) -> (Vec<(String, Vec<String>)>, Option<String>) {
        let seen = RefCell::new(Vec::new());
        let work = |key: String, changes: Vec<Selected<()>>| {
            let numbers = changes
                .iter()
                .map(|work| work.position.number().trim_start_matches('0').to_owned())
                .collect();
            let result = if failing.contains(&key.as_str()) { Err(Error::internal("x")) } else { Ok(()) };
            seen.borrow_mut().push((key, numbers));
            async move { result }
        };
        let outcome = work_through(records(products), product_of, work).now_or_never().unwrap();
        (seen.into_inner(), outcome.failed.map(|failed| failed.number))
    }

    fn numbers(numbers: &[&str]) -> Vec<String> {
        numbers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changes_of_one_group_come_together_in_order() {
        let (seen, failed) = run(&[1, 2, 1, 1], &[]);
        assert_eq!(seen, [("01".to_owned(), numbers(&["1", "3", "4"])), ("02".to_owned(), numbers(&["2"]))]);
        assert_eq!(failed, None);
    }

    #[test]
    fn a_failed_group_is_reported_by_its_first_record() {
        assert_eq!(run(&[1, 2, 3, 2], &["02", "03"]).1.as_deref(), Some("2"));
        assert_eq!(run(&[1, 2, 3, 2], &["03"]).1.as_deref(), Some("3"));
    }

    #[test]
    fn processing_stops_at_a_record_that_cannot_be_parsed() {
        let mut batch = records(&[1, 2]);
        let mut broken: Value = serde_json::from_str(include_str!("../../../events/stream.json")).unwrap();
        broken["Records"][0]["dynamodb"]["NewImage"]["rating"] = json!({"S": "five"});
        broken["Records"][0]["dynamodb"]["SequenceNumber"] = json!("15");
        batch.insert(1, serde_json::from_value(broken["Records"][0].clone()).unwrap());
        let seen = RefCell::new(Vec::new());
        let work = |key: String, _| {
            seen.borrow_mut().push(key);
            async { Ok(()) }
        };
        let outcome = work_through(batch, product_of, work).now_or_never().unwrap();
        assert_eq!(seen.into_inner(), ["01"]);
        assert_eq!(outcome.failed.map(|failed| failed.number).as_deref(), Some("15"));
    }

    #[test]
    fn a_panic_fails_its_group_alone() {
        let work = |key: String, _| async move { if key == "01" { panic!("oh") } else { Ok(()) } };
        let outcome = work_through(records(&[2, 1]), product_of, work).now_or_never().unwrap();
        assert_eq!(outcome.failed.map(|failed| failed.number).as_deref(), Some("2"));
    }
}
