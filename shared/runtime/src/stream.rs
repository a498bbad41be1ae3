//! Batches of the table's stream.
//!
//! A consumer gives two functions: one selects changes and returns their group key, the other processes the changes of
//! one group in stream order. This module does parsing, grouping, concurrency and partial batch failures, and describes
//! what no retry can process in dead letters.

use crate::{
    Exit,
    application::{self, Application, Host},
    telemetry::{Invocation, LogRecord},
};
use domain::{Error, id::ProductId};
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};
use std::{any::Any, collections::HashMap, convert::Infallible, hash::Hash, panic::AssertUnwindSafe};
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
    /// The first record of the batch that failed. Lambda delivers it and all later ones again.
    pub failed: Option<FailedRecord>,
    /// What no retry can process, with the position of its first record in the batch.
    pub dead: Vec<(usize, DeadLetter)>,
}

/// Describes a record that cannot be read, or the changes of a group whose processing failed with another error than
/// `Unavailable` or panicked. Once it is sent, its records count as processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The product that the changes belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// The ARN of the stream.
    pub stream_arn: String,
    /// The sequence numbers of the records, as the stream wrote them.
    pub sequence_numbers: Vec<String>,
    /// The cause.
    pub error: String,
}

impl DeadLetter {
    pub(crate) fn of(record: &StreamRecord) -> Self {
        Self {
            product_id: record.product(),
            stream_arn: record.stream_arn().to_owned(),
            sequence_numbers: vec![record.sequence_number().to_owned()],
            error: String::new(),
        }
    }
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

    /// Sends the dead letters. A letter that cannot be sent fails its first record. What begins after a failed record is
    /// not sent: Lambda delivers it again.
    async fn with_letters_sent(mut self, send: &SendLetter) -> Self {
        let mut dead = std::mem::take(&mut self.dead);
        dead.sort_by_key(|(position, _)| *position);
        for (position, letter) in dead {
            if self.failed.as_ref().is_some_and(|failed| failed.position <= position) {
                break;
            }
            match send(letter.clone()).await {
                Ok(()) => self.dead.push((position, letter)),
                Err(error) => {
                    let number = letter.sequence_numbers.into_iter().next().unwrap_or_default();
                    self.fail(FailedRecord { position, number, error });
                }
            }
        }
        self
    }
}

type Batch = dyn Fn(Vec<StreamRecord>) -> LocalBoxFuture<'static, BatchResult>;
type SendLetter = dyn Fn(DeadLetter) -> LocalBoxFuture<'static, Result<(), Error>>;

/// Processes batches of the stream until the function is stopped.
///
/// `select` returns the group key of a change, or `None` to skip it. `work` processes the changes of one group in
/// stream order; groups are processed concurrently. When a group fails, Lambda redelivers every record from the group's
/// first on, including records of other groups, so `work` must be idempotent.
///
/// A group that fails with `Unavailable` is retried as long as the stream keeps its records. What no retry can process is
/// given to `send`, and the stream goes on; a letter that cannot be sent fails the batch. A letter may be sent twice.
pub fn consume<A, K, W, S, H, F, D, G>(select: S, work: H, send: D) -> Exit
where
    A: Application,
    K: Hash + Eq + Clone + 'static,
    W: 'static,
    S: Fn(&StreamChange) -> Option<(K, W)> + Clone + 'static,
    H: Fn(&'static A, K, Vec<Selected<W>>) -> F + Clone + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
    D: Fn(&'static A, DeadLetter) -> G + 'static,
    G: Future<Output = Result<(), Error>> + 'static,
{
    let app: &'static A = application::start()?;
    let batch = move |records| {
        let (select, work) = (select.clone(), work.clone());
        work_through(records, select, move |key, changes| work(app, key, changes)).boxed_local()
    };
    consume_boxed(app, &batch, &move |letter| send(app, letter).boxed_local())
}

pub(crate) fn consume_boxed(host: &'static dyn Host, batch: &Batch, send: &SendLetter) -> Exit {
    application::run(host, async {
        let service = service_fn(move |event: LambdaEvent<Event>| answer(host, batch, send, event));
        Runtime::new(service).run().await
    })
}

async fn answer(
    host: &dyn Host,
    batch: &Batch,
    send: &SendLetter,
    event: LambdaEvent<Event>,
) -> Result<Answer, Infallible> {
    let invocation = Invocation::begin(host.now());
    let BatchResult { failed, dead } = batch(event.payload.records).await.with_letters_sent(send).await;
    let failure =
        failed.as_ref().map(|FailedRecord { number, error, .. }| format!("record {number}: {error:?}"));
    let letters = dead.iter().map(|(_, DeadLetter { sequence_numbers, error, .. })| {
        format!("records {} are given up: {error}", sequence_numbers.join(", "))
    });
    let causes: Vec<String> = failure.into_iter().chain(letters).collect();
    let cause = (!causes.is_empty()).then(|| causes.join("; "));
    invocation.end(&LogRecord {
        request_id: &event.context.request_id,
        route: "stream",
        status: if cause.is_some() { 500 } else { 200 },
        units: host.take_units(),
        error: cause.as_ref().map(|_| if failed.is_some() { "record-failed" } else { "record-given-up" }),
        cause: cause.as_deref(),
        ..LogRecord::default()
    });
    let failure = |failed: FailedRecord| ItemFailure { item_identifier: failed.number };
    Ok(Answer { batch_item_failures: failed.map(failure).into_iter().collect() })
}

/// A group: its key, the position of its first record in the batch, its changes, and the letter to send if no retry can
/// process them.
struct Group<K, W> {
    key: K,
    position: usize,
    changes: Vec<Selected<W>>,
    letter: DeadLetter,
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
        let letter = DeadLetter::of(&record);
        let change = match record.read() {
            Ok(change) => change,
            Err(error) => {
                outcome.dead.push((position, DeadLetter { error: format!("{error:?}"), ..letter }));
                continue;
            }
        };
        let Some((key, selected)) = select(&change) else { continue };
        let index = *group_of.entry(key.clone()).or_insert_with(|| {
            let letter = DeadLetter { sequence_numbers: Vec::new(), ..letter.clone() };
            groups.push(Group { key, position, changes: Vec::new(), letter });
            groups.len() - 1
        });
        groups[index].changes.push(Selected { position: change.position, change: selected });
        groups[index].letter.sequence_numbers.extend(letter.sequence_numbers);
    }
    let done = stream::iter(groups).map(|Group { key, position, changes, letter }| {
        // A handler may panic before its first await, so it is called in the guarded future.
        let work = AssertUnwindSafe(async { work(key, changes).await }).catch_unwind();
        async move { (position, letter, work.await) }
    });
    let mut done = done.buffer_unordered(CONCURRENCY);
    while let Some((position, letter, result)) = done.next().await {
        let error = match result {
            Ok(Ok(())) => continue,
            Ok(Err(error @ Error::Unavailable { .. })) => {
                let number = letter.sequence_numbers.first().cloned().unwrap_or_default();
                outcome.fail(FailedRecord { position, number, error });
                continue;
            }
            Ok(Err(error)) => format!("{error:?}"),
            Err(panic) => format!("panic: {}", message(&*panic)),
        };
        outcome.dead.push((position, DeadLetter { error, ..letter }));
    }
    outcome
}

/// The text of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::{cell::RefCell, rc::Rc};
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
            let result = if failing.contains(&key.as_str()) { Err(Error::unavailable("x")) } else { Ok(()) };
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

    /// The stars of the record at this index of the batch are a text.
    fn broken(products: &[u8], index: usize) -> Vec<StreamRecord> {
        let mut batch = records(products);
        let mut event: Value = serde_json::from_str(include_str!("../../../events/stream.json")).unwrap();
        event["Records"][0]["dynamodb"]["NewImage"]["rating"] = json!({"S": "five"});
        event["Records"][0]["dynamodb"]["SequenceNumber"] = json!((index + 1).to_string());
        batch[index] = serde_json::from_value(event["Records"][0].clone()).unwrap();
        batch
    }

    fn letter(outcome: &BatchResult) -> (usize, Value) {
        let [(position, letter)] = &outcome.dead[..] else { panic!("{outcome:?}") };
        (*position, serde_json::to_value(letter).unwrap())
    }

    #[test]
    fn a_record_that_cannot_be_read_becomes_a_letter_and_the_rest_is_processed() {
        let seen = RefCell::new(Vec::new());
        let work = |key: String, changes: Vec<Selected<()>>| {
            seen.borrow_mut().push((key, changes.len()));
            async { Ok(()) }
        };
        let outcome = work_through(broken(&[1, 2, 1], 1), product_of, work).now_or_never().unwrap();
        assert_eq!(seen.into_inner(), [("01".to_owned(), 2)]);
        assert_eq!(outcome.failed, None);
        let (position, letter) = letter(&outcome);
        assert_eq!(position, 1);
        assert_eq!(letter["productId"], "019aa251-4760-7202-8202-020202020202");
        assert_eq!(letter["sequenceNumbers"], json!(["2"]));
        assert!(letter["streamArn"].as_str().unwrap().ends_with("/stream/2025-11-20T00:00:00.000"));
        assert!(letter["error"].as_str().unwrap().contains("cannot be parsed"), "{letter}");
    }

    /// Whether the panic comes before or after the first await of the work.
    #[test]
    fn a_panic_and_an_error_that_lasts_become_letters_of_their_group_alone() {
        for how in ["at once", "later", "error"] {
            let seen = RefCell::new(Vec::new());
            let work = |key: String, _| {
                assert!(key != "01" || how != "at once", "oh");
                seen.borrow_mut().push(key.clone());
                async move {
                    assert!(key != "01" || how != "later", "oh");
                    if key == "01" { Err(Error::internal("oh")) } else { Ok(()) }
                }
            };
            let outcome = work_through(records(&[2, 1, 1]), product_of, work).now_or_never().unwrap();
            assert_eq!(outcome.failed, None, "{how}");
            let (position, letter) = letter(&outcome);
            assert_eq!((position, &letter["sequenceNumbers"]), (1, &json!(["2", "3"])), "{how}");
            assert_eq!(letter["productId"], "019aa251-4760-7202-8202-020202020201", "{how}");
            assert!(letter["error"].as_str().unwrap().contains("oh"), "{how}: {letter}");
            assert!(seen.into_inner().contains(&"02".to_owned()), "{how}");
        }
    }

    /// The letters that are sent when a batch with an unreadable record at index 1 is finished, and its first failure.
    fn finished(products: &[u8], failing: &str, queue_fails: bool) -> (Vec<Vec<String>>, Option<String>) {
        let work = |key: String, _| async move {
            if key == failing { Err(Error::unavailable("x")) } else { Ok(()) }
        };
        let outcome = work_through(broken(products, 1), product_of, work).now_or_never().unwrap();
        let letters = Rc::new(RefCell::new(Vec::new()));
        let queue = Rc::clone(&letters);
        let send = move |letter: DeadLetter| {
            queue.borrow_mut().push(letter.sequence_numbers);
            let result = if queue_fails { Err(Error::unavailable("queue")) } else { Ok(()) };
            async move { result }.boxed_local()
        };
        let outcome = outcome.with_letters_sent(&send).now_or_never().unwrap();
        let numbers = letters.borrow().clone();
        (numbers, outcome.failed.map(|failed| failed.number))
    }

    #[test]
    fn a_letter_is_sent_once_its_record_is_not_delivered_again() {
        assert_eq!(finished(&[1, 2, 3], "", false), (vec![numbers(&["2"])], None));
        assert_eq!(finished(&[1, 2, 3], "03", false), (vec![numbers(&["2"])], Some("3".to_owned())));
        assert_eq!(finished(&[1, 2, 3], "01", false), (vec![], Some("1".to_owned())));
    }

    #[test]
    fn a_letter_that_cannot_be_sent_fails_its_record() {
        assert_eq!(finished(&[1, 2, 3], "", true), (vec![numbers(&["2"])], Some("2".to_owned())));
        assert_eq!(finished(&[1, 2, 3], "03", true), (vec![numbers(&["2"])], Some("2".to_owned())));
    }
}
