//! Batches of the table's stream whose records are processed together.

use crate::{
    Exit,
    application::{self, Application},
    stream::{BatchResult, DeadLetter, FailedRecord, consume_boxed, message},
};
use domain::Error;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use table::StreamRecord;

/// Processes batches of the stream, each as a whole, until the function is stopped.
///
/// `read` returns what a record is read as; several values, one or none. `work` processes all values of a batch in
/// stream order, and returns those that no retry can process: the index of each, and why. If `work` fails or panics,
/// Lambda delivers the whole batch again, as long as the stream keeps its records: `work` must be idempotent.
///
/// A record that cannot be read, and one with a value that no retry can process, is described to `send`, and the stream
/// goes on; a letter that cannot be sent fails the batch. A letter may be sent twice.
pub fn consume_together<A, W, R, H, F, D, G>(read: R, work: H, send: D) -> Exit
where
    A: Application,
    W: 'static,
    R: Fn(&StreamRecord) -> Result<Vec<W>, Error> + Clone + 'static,
    H: Fn(&'static A, Vec<W>) -> F + Clone + 'static,
    F: Future<Output = Result<Vec<(usize, String)>, Error>> + 'static,
    D: Fn(&'static A, DeadLetter) -> G + 'static,
    G: Future<Output = Result<(), Error>> + 'static,
{
    let app: &'static A = application::start()?;
    let batch = move |records: Vec<StreamRecord>| {
        let (read, work) = (read.clone(), work.clone());
        async move { work_together(&records, read, move |values| work(app, values)).await }.boxed_local()
    };
    consume_boxed(app, &batch, &move |letter| send(app, letter).boxed_local())
}

/// Processes one batch, as [`consume_together`] does.
pub async fn work_together<W, F>(
    records: &[StreamRecord],
    read: impl Fn(&StreamRecord) -> Result<Vec<W>, Error>,
    work: impl FnOnce(Vec<W>) -> F,
) -> BatchResult
where
    F: Future<Output = Result<Vec<(usize, String)>, Error>>,
{
    let mut outcome = BatchResult::default();
    // The index of each value's record.
    let (mut values, mut record_of) = (Vec::new(), Vec::new());
    for (index, record) in records.iter().enumerate() {
        match read(record) {
            Ok(found) => {
                record_of.extend(found.iter().map(|_| index));
                values.extend(found);
            }
            Err(error) => {
                let letter = DeadLetter { error: format!("{error:?}"), ..DeadLetter::of(record) };
                outcome.dead.push((index, letter));
            }
        }
    }
    let Some(&first) = record_of.first() else { return outcome };
    let done = AssertUnwindSafe(async { work(values).await }).catch_unwind().await;
    let done = done.unwrap_or_else(|panic| Err(Error::unavailable(format!("panic: {}", message(&*panic)))));
    match done {
        Ok(refused) => {
            let letters = refused.into_iter().map(|(value, error)| {
                let index = record_of[value];
                (index, DeadLetter { error, ..DeadLetter::of(&records[index]) })
            });
            outcome.dead.extend(letters);
        }
        Err(error) => {
            let number = records[first].sequence_number().to_owned();
            outcome.failed = Some(FailedRecord { position: first, number, error });
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The sample event's first record, with these sequence numbers.
    fn records(numbers: &[&str]) -> Vec<StreamRecord> {
        let event: Value = serde_json::from_str(include_str!("../../../events/stream.json")).unwrap();
        let record = |number: &&str| {
            let mut record = event["Records"][0].clone();
            record["dynamodb"]["SequenceNumber"] = json!(number);
            serde_json::from_value(record).unwrap()
        };
        numbers.iter().map(record).collect()
    }

    /// Each record is read as twice its number; the number 3 cannot be read, and 4 is read as nothing.
    fn read(record: &StreamRecord) -> Result<Vec<String>, Error> {
        match record.sequence_number() {
            "3" => Err(Error::internal("three")),
            "4" => Ok(Vec::new()),
            number => Ok(vec![number.to_owned(), number.to_owned()]),
        }
    }

    fn run(numbers: &[&str], result: Result<Vec<(usize, String)>, Error>) -> (BatchResult, Vec<String>) {
        let mut seen = Vec::new();
        let work = |values| {
            seen = values;
            async { result }
        };
        let outcome = work_together(&records(numbers), read, work).now_or_never().unwrap();
        (outcome, seen)
    }

    fn letters(outcome: &BatchResult) -> Vec<(usize, &str, &str)> {
        outcome
            .dead
            .iter()
            .map(|(index, letter)| (*index, letter.sequence_numbers[0].as_str(), letter.error.as_str()))
            .collect()
    }

    #[test]
    fn all_values_of_a_batch_come_together_in_order() {
        let (outcome, seen) = run(&["1", "4", "2"], Ok(Vec::new()));
        assert_eq!((seen, outcome), (["1", "1", "2", "2"].map(str::to_owned).into(), BatchResult::default()));
    }

    #[test]
    fn a_record_that_cannot_be_read_becomes_a_letter_and_the_rest_is_processed() {
        let (outcome, seen) = run(&["1", "3", "2"], Ok(Vec::new()));
        assert_eq!((seen.len(), &outcome.failed), (4, &None));
        let [(1, "3", error)] = letters(&outcome)[..] else { panic!("{outcome:?}") };
        assert!(error.contains("three"), "{error}");
    }

    #[test]
    fn a_value_that_no_retry_can_process_becomes_a_letter_of_its_record() {
        let (outcome, _) = run(&["4", "1", "2"], Ok(vec![(3, "too large".to_owned())]));
        assert_eq!(letters(&outcome), [(2, "2", "too large")]);
        assert_eq!(outcome.failed, None);
    }

    #[test]
    fn any_failure_fails_the_batch_from_its_first_value_on() {
        for error in [Error::unavailable("x"), Error::internal("x")] {
            let (outcome, _) = run(&["3", "4", "1", "2"], Err(error));
            let failed = outcome.failed.unwrap();
            assert_eq!((failed.position, failed.number.as_str()), (2, "1"));
        }
        let panics = |_: Vec<String>| async { panic!("oh") };
        let outcome = work_together(&records(&["1"]), read, panics).now_or_never().unwrap();
        assert_eq!(outcome.failed.unwrap().number, "1");
    }

    #[test]
    fn a_batch_without_values_needs_no_work() {
        let never = |_: Vec<String>| async { panic!("called") };
        let outcome = work_together(&records(&["4", "3"]), read, never).now_or_never().unwrap();
        assert_eq!((outcome.failed, outcome.dead.len()), (None, 1));
    }
}
