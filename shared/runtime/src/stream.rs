//! Batches of the table's stream.
//!
//! A consumer says which changes it wants, by what they belong together, and what is to be done with the changes of
//! one group, in their order. Decoding, grouping, concurrency and partial failures are here.

use crate::{
    App, Exit,
    telemetry::{Invocation, Record as Line},
};
use domain::Error;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, convert::Infallible, hash::Hash, panic::AssertUnwindSafe};
use table::{Change, Record, Sequence};

/// How many groups are worked on at once.
const CONCURRENCY: usize = 16;

/// One change that a consumer wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Work<W> {
    /// Where the change stands in the stream.
    pub sequence: Sequence,
    /// What is to be done.
    pub what: W,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    records: Vec<Record>,
}

/// Tells Lambda where to go on: from the first record that failed. None means that the whole batch is done.
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

/// How a batch ended.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// The position in the batch of the first record that failed, with its sequence number and why.
    pub failed: Option<(usize, String, Error)>,
}

impl Outcome {
    fn fail(&mut self, position: usize, number: String, error: Error) {
        if self.failed.as_ref().is_none_or(|(first, ..)| position < *first) {
            self.failed = Some((position, number, error));
        }
    }
}

type Batch = dyn Fn(&'static App, Vec<Record>) -> LocalBoxFuture<'static, Outcome>;

/// Works through batches of the stream until the function is stopped.
///
/// `select` picks the changes that are wanted and says to which group each belongs. `work` does what is to be done for
/// one group, whose changes come in the order in which they happened; groups are worked on concurrently. When a group
/// fails, Lambda sends again every record from the group's first on, those of other groups too: work has to be
/// idempotent.
pub fn consume<K, W, S, H, F>(select: S, work: H) -> Exit
where
    K: Hash + Eq + Clone + 'static,
    W: 'static,
    S: Fn(&Change) -> Option<(K, W)> + Clone + 'static,
    H: Fn(&'static App, K, Vec<Work<W>>) -> F + Clone + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
{
    consume_boxed(&move |app, records| {
        let (select, work) = (select.clone(), work.clone());
        work_through(records, select, move |key, changes| work(app, key, changes)).boxed_local()
    })
}

fn consume_boxed(batch: &Batch) -> Exit {
    crate::app::run(async |app| {
        let service = service_fn(move |event: LambdaEvent<Event>| answer(app, batch, event));
        Runtime::new(service).run().await
    })
}

async fn answer(app: &'static App, batch: &Batch, event: LambdaEvent<Event>) -> Result<Answer, Infallible> {
    let invocation = Invocation::begin(app.now());
    let outcome = batch(app, event.payload.records).await;
    let cause = outcome.failed.as_ref().map(|(_, number, error)| format!("record {number}: {error:?}"));
    invocation.end(&Line {
        request_id: &event.context.request_id,
        route: "stream",
        status: if cause.is_some() { 500 } else { 200 },
        response_bytes: 0,
        units: app.table.take_units(),
        error: cause.as_ref().map(|_| "record-failed"),
        cause: cause.as_deref(),
    });
    let failure = |(_, item_identifier, _)| ItemFailure { item_identifier };
    Ok(Answer { batch_item_failures: outcome.failed.map(failure).into_iter().collect() })
}

/// A group: its key, the position of its first record in the batch, that record's sequence number, its changes.
struct Group<K, W> {
    key: K,
    position: usize,
    number: String,
    changes: Vec<Work<W>>,
}

/// Works through one batch, as [`consume`] does.
pub async fn work_through<K, W, F>(
    records: Vec<Record>,
    select: impl Fn(&Change) -> Option<(K, W)>,
    work: impl Fn(K, Vec<Work<W>>) -> F,
) -> Outcome
where
    K: Hash + Eq + Clone,
    F: Future<Output = Result<(), Error>>,
{
    let mut outcome = Outcome::default();
    let mut groups: Vec<Group<K, W>> = Vec::new();
    let mut group_of: HashMap<K, usize> = HashMap::new();
    for (position, record) in records.into_iter().enumerate() {
        let number = record.sequence_number().to_owned();
        let change = match record.read() {
            Ok(change) => change,
            Err(error) => {
                outcome.fail(position, number, error);
                // What comes after it is sent again in any case, and doing it now could put it out of order.
                break;
            }
        };
        let Some((key, what)) = select(&change) else { continue };
        let index = *group_of.entry(key.clone()).or_insert_with(|| {
            groups.push(Group { key, position, number, changes: Vec::new() });
            groups.len() - 1
        });
        groups[index].changes.push(Work { sequence: change.sequence, what });
    }
    let done = stream::iter(groups).map(|Group { key, position, number, changes }| {
        let work = AssertUnwindSafe(work(key, changes)).catch_unwind();
        async move {
            let result = work.await.unwrap_or_else(|_| Err(Error::internal("panic")));
            result.map_err(|error| (position, number, error))
        }
    });
    let mut done = done.buffer_unordered(CONCURRENCY);
    while let Some(result) = done.next().await {
        if let Err((position, number, error)) = result {
            outcome.fail(position, number, error);
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
    fn records(products: &[u8]) -> Vec<Record> {
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

    fn product_of(Change { of, .. }: &Change) -> Option<(String, ())> {
        match of {
            Changed::Review { product, .. } => Some((product.to_string()[34..].to_owned(), ())),
            _ => None,
        }
    }

    fn run(products: &[u8], failing: &[&str]) -> (Vec<(String, Vec<String>)>, Option<String>) {
        let seen = RefCell::new(Vec::new());
        let work = |key: String, changes: Vec<Work<()>>| {
            let numbers = changes
                .iter()
                .map(|work| work.sequence.as_str().trim_start_matches('0').to_owned())
                .collect();
            let result = if failing.contains(&key.as_str()) { Err(Error::internal("x")) } else { Ok(()) };
            seen.borrow_mut().push((key, numbers));
            async move { result }
        };
        let outcome = work_through(records(products), product_of, work).now_or_never().unwrap();
        (seen.into_inner(), outcome.failed.map(|(_, number, _)| number))
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
    fn the_batch_goes_on_from_the_first_record_of_the_first_group_that_failed() {
        assert_eq!(run(&[1, 2, 3, 2], &["02", "03"]).1.as_deref(), Some("2"));
        assert_eq!(run(&[1, 2, 3, 2], &["03"]).1.as_deref(), Some("3"));
    }

    #[test]
    fn a_record_that_does_not_read_fails_and_nothing_after_it_is_done() {
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
        assert_eq!(outcome.failed.map(|(_, number, _)| number).as_deref(), Some("15"));
    }

    #[test]
    fn a_panic_fails_its_group_alone() {
        let work = |key: String, _| async move { if key == "01" { panic!("oh") } else { Ok(()) } };
        let outcome = work_through(records(&[2, 1]), product_of, work).now_or_never().unwrap();
        assert_eq!(outcome.failed.map(|(_, number, _)| number).as_deref(), Some("2"));
    }
}
