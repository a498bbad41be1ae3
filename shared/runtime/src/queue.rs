//! Batches of messages of a queue.

use crate::{
    Exit,
    application::{self, Application, Host},
    telemetry::{Invocation, LogRecord},
};
use domain::Error;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{convert::Infallible, panic::AssertUnwindSafe};

/// The maximum number of messages that are processed concurrently.
const CONCURRENCY: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    records: Vec<QueuedMessage>,
}

/// A message of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueuedMessage {
    /// The id that SQS gave it.
    message_id: String,
    /// What the sender wrote.
    body: String,
}

/// The partial batch response: the queue delivers these messages again.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

type Handler = dyn Fn(String) -> LocalBoxFuture<'static, Result<(), Error>>;

/// Processes the messages of a queue until the function is stopped. Each is the JSON form of `M`. One that fails is
/// delivered again, until the queue moves it to its dead-letter queue; the others of its batch are not. A message may be
/// delivered twice.
pub fn drain<A, M, H, F>(handler: H) -> Exit
where
    A: Application,
    M: DeserializeOwned,
    H: Fn(&'static A, M) -> F + Clone + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
{
    let app: &'static A = application::start()?;
    drain_boxed(app, &move |body| {
        let handler = handler.clone();
        async move { handler(app, read(&body)?).await }.boxed_local()
    })
}

/// The error says nothing of the message: it may contain addresses.
fn read<M: DeserializeOwned>(body: &str) -> Result<M, Error> {
    serde_json::from_str(body)
        .map_err(|error| Error::internal(format!("a message cannot be parsed: {:?}", error.classify())))
}

fn drain_boxed(host: &'static dyn Host, handler: &Handler) -> Exit {
    application::run(host, async {
        let service = service_fn(move |event: LambdaEvent<Batch>| answer(host, handler, event));
        Runtime::new(service).run().await
    })
}

async fn answer(
    host: &dyn Host,
    handler: &Handler,
    event: LambdaEvent<Batch>,
) -> Result<Failures, Infallible> {
    let invocation = Invocation::begin(host.now());
    let failed = failures(event.payload.records, handler).await;
    let causes = failed.iter().map(|(id, error)| format!("message {id}: {error:?}"));
    let cause = (!failed.is_empty()).then(|| causes.collect::<Vec<_>>().join("; "));
    invocation.end(&LogRecord {
        request_id: &event.context.request_id,
        route: "queue",
        status: if cause.is_some() { 500 } else { 200 },
        units: host.take_units(),
        error: cause.as_ref().map(|_| "message-failed"),
        cause: cause.as_deref(),
        ..LogRecord::default()
    });
    let failure = |(item_identifier, _)| Failure { item_identifier };
    Ok(Failures { batch_item_failures: failed.into_iter().map(failure).collect() })
}

/// The ids of the messages that failed, with the causes.
async fn failures(messages: Vec<QueuedMessage>, handler: &Handler) -> Vec<(String, Error)> {
    let done = stream::iter(messages).map(|QueuedMessage { message_id, body }| {
        // A handler may panic before its first await, so it is called in the guarded future.
        let work = AssertUnwindSafe(async { handler(body).await }).catch_unwind();
        async move { (message_id, work.await.unwrap_or_else(|_| Err(Error::internal("panic")))) }
    });
    let failed = done.buffered(CONCURRENCY).filter_map(async |(id, result)| Some((id, result.err()?)));
    failed.collect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_that_fail_panic_or_cannot_be_parsed_are_delivered_again_and_no_others() {
        let message = |(id, body): (&str, &str)| QueuedMessage { message_id: id.into(), body: body.into() };
        let bodies = [("a", "1"), ("b", "2"), ("c", "\"ada@example.com\""), ("d", "3"), ("e", "4")];
        let messages = bodies.map(message).into();
        let handler = |body: String| {
            async move {
                match read::<u8>(&body)? {
                    2 => Err(Error::unavailable("x")),
                    3 => panic!("oh"),
                    _ => Ok(()),
                }
            }
            .boxed_local()
        };
        let failed = failures(messages, &handler).now_or_never().unwrap();
        let ids: Vec<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["b", "c", "d"]);
        assert!(!format!("{failed:?}").contains("ada@"), "{failed:?}");
    }

    #[test]
    fn the_answer_is_a_partial_batch_response() {
        let failure = Failure { item_identifier: "b".to_owned() };
        let answer = serde_json::to_value(Failures { batch_item_failures: vec![failure] }).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "b"}]}));
    }
}
