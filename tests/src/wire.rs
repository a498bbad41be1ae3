//! The network between the AWS client and the database, with injectable faults.

use crate::{
    database::{Answer, Database},
    refused,
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::Item;
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::Barrier;

/// A fault of a request: it is rejected, lost, delayed, or its response is lost or changed.
#[derive(Clone)]
pub enum Fault {
    /// Rejected before execution: throttled.
    Throttled,
    /// Rejected before execution: an internal error of DynamoDB.
    Failing,
    /// Rejected before execution, with this error.
    Refused(&'static str),
    /// Not executed, but answered with this body.
    Answered(Value),
    /// The connection breaks before the request arrives.
    Unreachable,
    /// The request is executed, and the connection breaks before the response arrives.
    AnswerLost,
    /// The transaction is cancelled before execution, with these reason codes, one for each write.
    Cancelled(Vec<&'static str>),
    /// The batch is executed without its last items, this many, which are returned as unprocessed.
    LeftOver(usize),
    /// The request is executed, and the response is changed by this function.
    Altered(Arc<dyn Fn(&mut Value) + Send + Sync>),
    /// This fault on the first attempt of each request; retries succeed.
    AtFirst(Box<Fault>),
    /// The request is executed once the barrier's number of requests has arrived.
    Held(Arc<Barrier>),
}

/// A request that the client sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The name of the operation, such as `GetItem`.
    pub operation: String,
    /// The JSON body.
    pub body: Value,
}

/// An HTTP client that calls an in-process database, without a socket. It also answers requests to Secrets Manager, where
/// every secret has the same text, and takes messages for SQS and mails for SES, which a test reads by
/// [`Wire::take_sent`].
#[derive(Clone)]
pub struct Wire(Arc<State>);

struct State {
    database: Database,
    /// The faults of the next requests of each operation, in order.
    next: Mutex<HashMap<&'static str, Vec<Fault>>>,
    /// The fault of all other requests of each operation.
    always: Mutex<HashMap<&'static str, Fault>>,
    sent: Mutex<Vec<Sent>>,
    /// The write units of refused writes.
    refused: Mutex<usize>,
    /// The text of every secret.
    secret: Mutex<String>,
}

impl Wire {
    pub(crate) fn to(database: Database) -> Self {
        let (next, always, sent, refused) = Default::default();
        let secret = Mutex::new(crate::webhook::SECRET.to_owned());
        Self(Arc::new(State { database, next, always, sent, refused, secret }))
    }

    /// Injects these faults into the next requests of an operation, one fault for each attempt.
    pub fn next(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.0.next).entry(operation).or_default().extend(faults);
    }

    /// Injects this fault into every request of an operation until [`Wire::heal`].
    pub fn always(&self, operation: &'static str, fault: Fault) {
        lock(&self.0.always).insert(operation, fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        lock(&self.0.next).clear();
        lock(&self.0.always).clear();
    }

    /// Gives every secret in Secrets Manager this text.
    pub fn keep_secret(&self, text: &str) {
        text.clone_into(&mut lock(&self.0.secret));
    }

    /// Removes and returns the recorded requests, in the order in which they were sent.
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut lock(&self.0.sent))
    }

    /// The write units since the last call that DynamoDB bills for refused writes, and does not report.
    pub fn take_refused_units(&self) -> usize {
        std::mem::take(&mut lock(&self.0.refused))
    }

    /// Records a request to another server among the client's requests.
    pub fn note(&self, operation: &str) {
        lock(&self.0.sent).push(Sent { operation: operation.to_owned(), body: Value::Null });
    }

    /// Executes a request on the database directly, without recording it and without faults.
    pub fn carry_out(&self, operation: &str, body: Value) -> Answer {
        self.0.database.carry_out(operation, body)
    }

    /// As [`Wire::carry_out`], for a request that succeeds.
    pub(crate) fn directly(&self, operation: &str, body: Value) -> Value {
        let Answer { status, body } = self.carry_out(operation, body);
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    /// An item; null if there is none.
    fn stored(&self, table: &Value, key: &Value) -> Value {
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        self.directly("GetItem", request)["Item"].clone()
    }

    /// Loads items into a table of the database directly.
    pub(crate) fn import(&self, table: &str, items: Vec<Item>) {
        self.0.database.import(table, items);
    }

    fn fault(&self, operation: &str, first_attempt: bool) -> Option<Fault> {
        let mut next = lock(&self.0.next);
        let fault = match next.get_mut(operation) {
            Some(faults) if !faults.is_empty() => Some(faults.remove(0)),
            _ => lock(&self.0.always).get(operation).cloned(),
        };
        match fault {
            Some(Fault::AtFirst(fault)) => first_attempt.then_some(*fault),
            other => other,
        }
    }

    async fn answer(
        &self,
        operation: String,
        body: Value,
        fault: Option<Fault>,
    ) -> Result<Answer, ConnectorError> {
        lock(&self.0.sent).push(Sent { operation: operation.clone(), body: body.clone() });
        // Concurrent requests may overtake each other here.
        tokio::task::yield_now().await;
        let carry_out = |body: Value| match operation.as_str() {
            "GetSecretValue" => Answer { status: 200, body: json!({"SecretString": *lock(&self.0.secret)}) },
            "PutSecretValue" => {
                self.keep_secret(body["SecretString"].as_str().expect("a secret has a text"));
                Answer { status: 200, body: json!({}) }
            }
            // No execution of a state machine is running, and none starts.
            "DescribeExecution" => {
                Answer::refusal(400, "com.amazonaws.swf.service.v2.model#ExecutionDoesNotExist")
            }
            "SendMessage" | "SendEmail" => Answer { status: 200, body: json!({"MessageId": "m"}) },
            "StartExecution" => Answer { status: 200, body: json!({"executionArn": "arn", "startDate": 0}) },
            _ => {
                let answer = self.0.database.carry_out(&operation, body.clone());
                let stored = |table: &Value, key: &Value| self.stored(table, key);
                *lock(&self.0.refused) += refused::write_units(&operation, &body, &answer, stored);
                answer
            }
        };
        Ok(match fault {
            None => carry_out(body),
            Some(Fault::Throttled) => Answer::refusal(
                400,
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            ),
            Some(Fault::Failing) => {
                Answer::refusal(500, "com.amazonaws.dynamodb.v20120810#InternalServerError")
            }
            Some(Fault::Refused(error)) => Answer::refusal(400, error),
            Some(Fault::Answered(body)) => Answer { status: 200, body },
            Some(Fault::Unreachable) => return Err(ConnectorError::io("connection refused".into())),
            Some(Fault::AnswerLost) => {
                carry_out(body);
                return Err(ConnectorError::io("connection reset".into()));
            }
            Some(Fault::Cancelled(codes)) => Answer::cancelled(&codes),
            Some(Fault::LeftOver(count)) => leave_over(&operation, body, count, carry_out),
            Some(Fault::Altered(alter)) => {
                let mut answer = carry_out(body);
                alter(&mut answer.body);
                answer
            }
            Some(Fault::Held(barrier)) => {
                barrier.wait().await;
                carry_out(body)
            }
            Some(Fault::AtFirst(_)) => panic!("a first attempt within a first attempt"),
        })
    }
}

/// Executes a batch of one table without its last items and returns those as unprocessed.
fn leave_over(
    operation: &str,
    mut body: Value,
    count: usize,
    carry_out: impl FnOnce(Value) -> Answer,
) -> Answer {
    let (unprocessed, pointer) = match operation {
        "BatchGetItem" => ("UnprocessedKeys", "/Keys"),
        "BatchWriteItem" => ("UnprocessedItems", ""),
        _ => panic!("{operation} leaves nothing over"),
    };
    let tables = body["RequestItems"].as_object_mut().expect("a batch has tables");
    let (name, batch) = tables.iter_mut().next().expect("a batch has a table");
    let (name, mut left) = (name.clone(), batch.clone());
    let items = batch.pointer_mut(pointer).and_then(Value::as_array_mut).expect("a batch has items");
    let over = items.split_off(items.len().saturating_sub(count));
    let nothing = items.is_empty();
    *left.pointer_mut(pointer).expect("a copy has what its original has") = Value::from(over);
    let mut answer = if nothing { Answer { status: 200, body: json!({}) } } else { carry_out(body) };
    answer.body[unprocessed] = Value::from(Map::from_iter([(name, left)]));
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds a lock")
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = match request.headers().get("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
            None if request.uri().ends_with("/v2/email/outbound-emails") => "SendEmail".to_owned(),
            None => panic!("no operation: {}", request.uri()),
        };
        let body = request.body().bytes().expect("the client sends its request in one piece");
        let body = serde_json::from_slice(body).expect("the client sends JSON");
        // The header has the form "attempt=1; max=3".
        let attempt = request.headers().get("amz-sdk-request");
        let fault = self.fault(&operation, attempt.is_none_or(|attempt| attempt.starts_with("attempt=1;")));
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let Answer { status, body } = wire.answer(operation, body, fault).await?;
            let status = StatusCode::try_from(status).expect("an HTTP status");
            let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}
