//! Batches of records of a Kafka topic.
//!
//! A function gives what reads a record, what processes the records of a batch together, and what takes those that cannot
//! be read.

use crate::{
    Exit,
    application::{self, Application, Host},
    telemetry::{Invocation, LogRecord},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Error;
use futures::{FutureExt, future::LocalBoxFuture};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    panic::AssertUnwindSafe,
};

/// The most bytes of a value that a letter holds: a message of SQS has 256 KiB, of which base64 takes four thirds.
const LONGEST_VALUE: usize = 128 * 1024;

#[derive(Deserialize)]
struct Event {
    /// By topic and partition, in the order of the partition.
    records: BTreeMap<String, Vec<KafkaRecord>>,
}

/// A record, as Lambda delivers it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct KafkaRecord {
    topic: String,
    partition: u32,
    offset: u64,
    /// Base64.
    value: Option<String>,
}

/// Where a record is. As a partial batch response names it: Lambda delivers it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RecordPlace {
    /// The topic and the number of the partition, as `souk.events-0`.
    pub partition: String,
    /// The offset in the partition.
    pub offset: u64,
}

/// A record that cannot be read. Once it is sent, the record counts as processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableRecord {
    /// Where it is.
    #[serde(flatten)]
    pub place: RecordPlace,
    /// The value in base64, without what is after the first 128 KiB.
    pub value: String,
    /// Why it cannot be read. Says nothing of the value: it may contain personal data.
    pub error: String,
}

/// The partial batch response. An empty list means that the batch succeeded.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: RecordPlace,
}

/// The result of a batch.
#[derive(Debug, Default, PartialEq)]
struct BatchOutcome {
    /// The records to be delivered again.
    failed: BTreeSet<RecordPlace>,
    /// What happened, for the log.
    causes: Vec<String>,
}

/// The records of a batch that can be read, with the places of all of them, and those that cannot.
struct ReadBatch<T> {
    places: BTreeSet<RecordPlace>,
    records: Vec<T>,
    unreadable: Vec<UnreadableRecord>,
}

type Batch = dyn Fn(Event) -> LocalBoxFuture<'static, BatchOutcome>;

/// Processes batches of a topic until the function is stopped.
///
/// `work` processes all records of a batch together. If it fails, whatever the error, all of them are delivered again, so
/// it must be idempotent. A record whose value is not the JSON form of `T` is given to `send` once the others are
/// processed; if it cannot be sent, it is delivered again. A letter may be sent twice.
pub fn consume_topic<A, T, H, F, D, G>(work: H, send: D) -> Exit
where
    A: Application,
    T: DeserializeOwned + 'static,
    H: Fn(&'static A, Vec<T>) -> F + Clone + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
    D: Fn(&'static A, UnreadableRecord) -> G + Clone + 'static,
    G: Future<Output = Result<(), Error>> + 'static,
{
    let app: &'static A = application::start()?;
    consume_boxed(app, &move |event| {
        let (work, send) = (work.clone(), send.clone());
        processed(event, move |records| work(app, records), move |letter| send(app, letter)).boxed_local()
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
    let BatchOutcome { failed, causes } = batch(event.payload).await;
    let cause = (!causes.is_empty()).then(|| causes.join("; "));
    invocation.end(&LogRecord {
        request_id: &event.context.request_id,
        route: "topic",
        status: if cause.is_some() { 500 } else { 200 },
        units: host.take_units(),
        error: cause.as_ref().map(|_| if failed.is_empty() { "record-given-up" } else { "record-failed" }),
        cause: cause.as_deref(),
        ..LogRecord::default()
    });
    let failure = |item_identifier| ItemFailure { item_identifier };
    Ok(Answer { batch_item_failures: failed.into_iter().map(failure).collect() })
}

/// Processes one batch, as [`consume_topic`] does.
async fn processed<T, F, G>(
    event: Event,
    work: impl FnOnce(Vec<T>) -> F,
    send: impl Fn(UnreadableRecord) -> G,
) -> BatchOutcome
where
    T: DeserializeOwned,
    F: Future<Output = Result<(), Error>>,
    G: Future<Output = Result<(), Error>>,
{
    let ReadBatch { places, records, unreadable } = read(event);
    // A handler may panic before its first await, so it is called in the guarded future.
    let done = AssertUnwindSafe(async { work(records).await }).catch_unwind().await;
    if let Err(error) = done.unwrap_or_else(|_| Err(Error::internal("panic"))) {
        // All of them are named, not the first of each partition: this holds whether Lambda goes on from the first one
        // or repeats exactly those that are named.
        return BatchOutcome { causes: vec![format!("{} records: {error:?}", places.len())], failed: places };
    }
    let mut outcome = BatchOutcome::default();
    for letter in unreadable {
        let (place, error) = (letter.place.clone(), letter.error.clone());
        let at = format!("{} {}", place.partition, place.offset);
        match send(letter).await {
            Ok(()) => outcome.causes.push(format!("record {at} is given up: {error}")),
            Err(failure) => {
                outcome.causes.push(format!("record {at}: {error}, {failure:?}"));
                outcome.failed.insert(place);
            }
        }
    }
    outcome
}

fn read<T: DeserializeOwned>(event: Event) -> ReadBatch<T> {
    let mut batch = ReadBatch { places: BTreeSet::new(), records: Vec::new(), unreadable: Vec::new() };
    for record in event.records.into_values().flatten() {
        let place = RecordPlace {
            partition: format!("{}-{}", record.topic, record.partition),
            offset: record.offset,
        };
        let value = BASE64_STANDARD.decode(record.value.unwrap_or_default()).unwrap_or_default();
        match serde_json::from_slice(&value) {
            Ok(record) => batch.records.push(record),
            Err(error) => {
                let value = BASE64_STANDARD.encode(&value[..value.len().min(LONGEST_VALUE)]);
                let error = format!("{:?} at column {}", error.classify(), error.column());
                batch.unreadable.push(UnreadableRecord { place: place.clone(), value, error });
            }
        }
        batch.places.insert(place);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::cell::RefCell;

    /// A batch with these values at offsets from 100 on: two partitions of a topic.
    fn event(first: &[&str], second: &[&str]) -> Event {
        let record = |partition: u32, (index, value): (usize, &&str)| {
            json!({"topic": "souk.events", "partition": partition, "offset": 100 + index, "timestamp": 1, "timestampType":
                "CREATE_TIME", "key": "dg==", "value": BASE64_STANDARD.encode(value), "headers": []})
        };
        let records = |partition: u32, values: &[&str]| {
            values.iter().enumerate().map(|value| record(partition, value)).collect::<Vec<_>>()
        };
        let event = json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "b:9092",
            "records": {"souk.events-0": records(0, first), "souk.events-1": records(1, second)}});
        serde_json::from_value(event).unwrap()
    }

    struct Seen {
        records: Vec<u8>,
        letters: Vec<Value>,
        answer: Value,
    }

    fn run(event: Event, stores: bool, sends: bool) -> Seen {
        let (records, letters) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let work = async |batch: Vec<u8>| {
            records.borrow_mut().extend(batch);
            if stores { Ok(()) } else { Err(Error::unavailable("down")) }
        };
        let send = async |letter: UnreadableRecord| {
            letters.borrow_mut().push(serde_json::to_value(letter).unwrap());
            if sends { Ok(()) } else { Err(Error::unavailable("queue")) }
        };
        let outcome = processed(event, work, send).now_or_never().unwrap();
        let failures = outcome.failed.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        let answer = serde_json::to_value(Answer { batch_item_failures: failures.collect() }).unwrap();
        Seen { records: records.into_inner(), letters: letters.into_inner(), answer }
    }

    fn failures(places: &[(u32, u64)]) -> Value {
        let identifier = |(partition, offset): &(u32, u64)| json!({"itemIdentifier": {"partition": format!("souk.events-{partition}"), "offset": offset}});
        json!({"batchItemFailures": places.iter().map(identifier).collect::<Vec<_>>()})
    }

    #[test]
    fn the_records_of_all_partitions_are_processed_together() {
        let seen = run(event(&["1", "2"], &["3"]), true, true);
        assert_eq!((seen.records, seen.answer), (vec![1, 2, 3], failures(&[])));
    }

    #[test]
    fn a_batch_that_fails_names_all_its_records_and_sends_no_letter() {
        let seen = run(event(&["1", "x"], &["3"]), false, true);
        assert_eq!(seen.answer, failures(&[(0, 100), (0, 101), (1, 100)]));
        assert_eq!(seen.letters, Vec::<Value>::new());
    }

    #[test]
    fn a_record_that_cannot_be_read_becomes_a_letter_and_the_others_are_processed() {
        let seen = run(event(&["1", "\"ada@example.com\""], &["3"]), true, true);
        assert_eq!((seen.records, seen.answer), (vec![1, 3], failures(&[])));
        let value = BASE64_STANDARD.encode("\"ada@example.com\"");
        assert_eq!(
            seen.letters,
            [
                json!({"partition": "souk.events-0", "offset": 101, "value": value, "error": "Data at column 17"})
            ]
        );
    }

    #[test]
    fn a_letter_that_cannot_be_sent_fails_its_record_alone() {
        let seen = run(event(&["1", "x", "2"], &["3"]), true, false);
        assert_eq!((seen.records, seen.answer), (vec![1, 2, 3], failures(&[(0, 101)])));
    }

    #[test]
    fn a_record_without_a_value_cannot_be_read_and_a_long_value_is_cut() {
        let mut batch = event(&["1"], &[]);
        batch.records.get_mut("souk.events-0").unwrap()[0].value = None;
        assert_eq!(run(batch, true, true).letters[0]["error"], "Eof at column 0");
        let long = format!("\"{}\"", "x".repeat(200 * 1024));
        let letter = &run(event(&[&long], &[]), true, true).letters[0];
        assert_eq!(letter["value"].as_str().unwrap().len(), (128 * 1024_usize).div_ceil(3) * 4);
    }

    #[test]
    fn a_panic_fails_the_batch() {
        let work = async |_: Vec<u8>| panic!("oh");
        let outcome = processed(event(&["1"], &[]), work, async |_| Ok(())).now_or_never().unwrap();
        assert_eq!(outcome.failed.len(), 1);
    }
}
