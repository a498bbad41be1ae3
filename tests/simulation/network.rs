//! The network of the functions: each request becomes a scheduling point. The AWS clients and the provider's client
//! are the real ones; only the HTTP connection below them is replaced.

use crate::{
    cache, execution,
    point::{Access, Fate},
    provider,
    simulation::{self, Simulation, hash},
    stream,
};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::cell::Cell;
use tests::Answer;

/// The most writes that a read which is not consistent does not see.
const MOST_MISSING: u64 = 8;

thread_local! {
    /// The retries of the AWS clients since the clients were created.
    static RETRIES: Cell<u32> = const { Cell::new(0) };
}

/// A request.
#[derive(Debug, Clone)]
pub enum Sent {
    /// To the table.
    Table {
        /// The name of the operation.
        operation: String,
        /// The JSON body.
        body: Value,
    },
    /// To Step Functions.
    Machines {
        /// The name of the operation.
        operation: String,
        /// The JSON body.
        body: Value,
    },
    /// To the payment provider.
    Provider(provider::Call),
    /// To the cache.
    Cache(cache::Command),
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// A response to an idempotency key that was used before.
    pub replayed: bool,
    /// The body.
    pub body: Value,
}

/// Why a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unanswered {
    /// The connection broke.
    Reset,
    /// The client waited too long.
    TimedOut,
}

/// What the sender of a request receives.
pub type Reply = Result<Answered, Unanswered>;

impl From<Answer> for Answered {
    fn from(Answer { status, body }: Answer) -> Self {
        Self { status, replayed: false, body }
    }
}

impl Sent {
    fn of(request: &HttpRequest, simulation: &Simulation) -> Self {
        let header = |name| request.headers().get(name).map(str::to_owned);
        let body = request.body().bytes().expect("the client sends its request in one piece");
        let Some(target) = header("x-amz-target") else {
            let path = request.uri().split_once("/v1/").expect("a path of the provider").1;
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let members = |bytes| form_urlencoded::parse(bytes).into_owned();
            return Self::Provider(provider::Call {
                method: request.method().to_owned(),
                path: path.to_owned(),
                key: header("idempotency-key"),
                form: members(query.as_bytes()).chain(members(body)).collect(),
            });
        };
        let (service, operation) = target.split_once('.').expect("the client names the operation");
        let operation = operation.to_owned();
        let mut body: Value = serde_json::from_slice(body).expect("the client sends JSON");
        if let Some(token) = body["ClientRequestToken"].as_str() {
            body["ClientRequestToken"] = json!(simulation.token(token));
        }
        if service.starts_with("DynamoDB") {
            Self::Table { operation, body }
        } else {
            Self::Machines { operation, body }
        }
    }

    /// A description for the trace.
    pub fn describe(&self) -> String {
        match self {
            Self::Table { operation, body } => {
                let (operation, body) = (operation.clone(), body.clone());
                tests::units::describe(&tests::Sent { operation, body })
            }
            Self::Machines { operation, body } => {
                let arn = body["stateMachineArn"].as_str().or(body["executionArn"].as_str()).unwrap();
                let machine = arn.split(':').nth(6).unwrap();
                format!("{operation} {machine}")
            }
            Self::Provider(call) => format!("{} {}", call.method, call.path),
            Self::Cache(command) => command.describe(),
        }
    }

    /// Whether another request can hold what this one changes.
    pub fn can_conflict(&self) -> bool {
        match self {
            Self::Table { operation, .. } => {
                matches!(operation.as_str(), "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems")
            }
            Self::Machines { .. } | Self::Cache(_) => false,
            Self::Provider(call) => call.method == "POST",
        }
    }

    /// The resources that it reads and writes.
    pub fn access(&self) -> Access {
        match self {
            Self::Table { operation, body } => access_to_table(operation, body),
            Self::Machines { operation, body } => {
                let (machine, name) = execution::execution_of(body);
                let execution = vec![execution::execution_resource(machine, name)];
                match operation.as_str() {
                    "StartExecution" | "StartSyncExecution" => {
                        Access { reads: Vec::new(), writes: execution }
                    }
                    _ => Access { reads: execution, writes: Vec::new() },
                }
            }
            Self::Provider(call) => {
                let payment = vec![call.payment()];
                match call.method.as_str() {
                    "GET" => Access { reads: payment, writes: Vec::new() },
                    _ => Access { reads: Vec::new(), writes: payment },
                }
            }
            Self::Cache(command) => command.access(),
        }
    }

    /// Carries the request out.
    pub fn carry_out(&self, simulation: &Simulation) -> Answered {
        match self {
            Self::Table { operation, body } => {
                let access = access_to_table(operation, body);
                if !access.writes.is_empty() {
                    simulation.replica().note(simulation.world(), simulation.clock(), operation, body);
                }
                let mut body = body.clone();
                if simulation.has_short_pages() && body["Limit"].is_number() {
                    body["Limit"] = json!(1);
                }
                stream::recording(simulation, &access, || {
                    simulation.world().wire.carry_out(operation, body).into()
                })
            }
            Self::Machines { operation, body } => match operation.as_str() {
                "StartExecution" | "StartSyncExecution" => simulation.start_execution(body).into(),
                "DescribeExecution" => simulation.describe_execution(body).into(),
                _ => panic!("the simulation has no operation {operation}"),
            },
            Self::Provider(call) => simulation.provider(|provider, now| provider.answer(call, now)),
            Self::Cache(command) => command.carry_out(&mut simulation.pages()),
        }
    }

    /// Whether it is a read that may return an earlier state.
    pub fn can_be_stale(&self) -> bool {
        matches!(self, Self::Table { operation, body }
            if matches!(operation.as_str(), "GetItem" | "Query") && body["ConsistentRead"] != true)
    }

    /// Reads the state of the table that was there some writes ago.
    pub fn read_replica(&self, simulation: &Simulation) -> Answered {
        let Self::Table { operation, body } = self else { panic!("only the table has a replica") };
        let writes = 1 + hash(&simulation.points().len()) % MOST_MISSING;
        let writes = usize::try_from(writes).expect("a small number");
        let mut replica = simulation.replica();
        match replica.lagging(simulation.clock(), writes) {
            Some(earlier) => earlier.wire.carry_out(operation, body.clone()).into(),
            None => self.carry_out(simulation),
        }
    }

    /// The answer of a service that refuses the request.
    pub fn refused(&self, fate: Fate, simulation: &Simulation) -> Answered {
        match (self, fate) {
            (Self::Table { .. }, Fate::Throttle) => {
                let error = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
                Answer::refusal(400, error).into()
            }
            (Self::Table { operation, body }, Fate::Conflict) => {
                let error = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
                match operation.as_str() {
                    "TransactWriteItems" => {
                        let writes = body["TransactItems"].as_array().map_or(0, Vec::len);
                        Answer::cancelled(&vec!["TransactionConflict"; writes]).into()
                    }
                    _ => Answer::refusal(400, error).into(),
                }
            }
            (Self::Table { .. }, _) => {
                Answer::refusal(500, "com.amazonaws.dynamodb.v20120810#InternalServerError").into()
            }
            (Self::Machines { .. }, Fate::Throttle) => Answer::refusal(400, "ThrottlingException").into(),
            (Self::Machines { .. }, _) => Answer::refusal(500, "InternalServerError").into(),
            (Self::Provider(call), fate) => {
                simulation.provider(|provider, now| provider.refuse(call, fate, now))
            }
            (Self::Cache(_), _) => Answered { status: 500, replayed: false, body: Value::Null },
        }
    }
}

fn access_to_table(operation: &str, body: &Value) -> Access {
    let partition = |key: &Value| key["pk"]["S"].as_str().expect("a partition key").to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let of_batch = |member: &str| -> Vec<String> {
        let tables = body["RequestItems"].as_object().expect("a batch").values();
        tables.flat_map(|table| list(&table[member])).map(|key| partition(&key)).collect()
    };
    let read = |reads| Access { reads, writes: Vec::new() };
    let written = |writes| Access { reads: Vec::new(), writes };
    match operation {
        "GetItem" => read(vec![partition(&body["Key"])]),
        "Query" => {
            let pk = body["ExpressionAttributeValues"][":pk"]["S"].as_str().expect("a partition");
            read(vec![pk.to_owned()])
        }
        "BatchGetItem" => read(of_batch("Keys")),
        "PutItem" => written(vec![partition(&body["Item"])]),
        "UpdateItem" | "DeleteItem" => written(vec![partition(&body["Key"])]),
        "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().expect("a batch").values();
            let writes = tables.flat_map(list).map(|write| partition(&write["DeleteRequest"]["Key"]));
            written(writes.collect())
        }
        "TransactWriteItems" => {
            let writes = list(&body["TransactItems"]).into_iter().map(|write| {
                let (_, write) = write.as_object().and_then(|write| write.iter().next()).expect("a write");
                partition(if write["Item"].is_null() { &write["Key"] } else { &write["Item"] })
            });
            written(writes.collect())
        }
        _ => panic!("the simulation knows no resources of {operation}"),
    }
}

/// The number of retries of the AWS clients.
pub fn retries() -> u32 {
    RETRIES.get()
}

/// Counts retries from 0 again.
pub fn forget_retries() {
    RETRIES.set(0);
}

/// The HTTP client of the AWS clients.
pub fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(Network)
}

/// The connection to the payment provider.
pub fn connector() -> SharedHttpConnector {
    SharedHttpConnector::new(Network)
}

#[derive(Debug, Clone)]
struct Network;

impl HttpClient for Network {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self)
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let attempt = request.headers().get("amz-sdk-request").unwrap_or_default();
        if !attempt.is_empty() && !attempt.starts_with("attempt=1;") {
            RETRIES.set(RETRIES.get() + 1);
        }
        if request.headers().get("x-amz-target") == Some("secretsmanager.GetSecretValue") {
            let answered = Answered {
                status: 200,
                replayed: false,
                body: json!({"SecretString": tests::webhook::SECRET}),
            };
            return HttpConnectorFuture::ready(Ok(response(answered)));
        }
        let is_synchronous =
            request.headers().get("x-amz-target").is_some_and(|name| name.ends_with("SyncExecution"));
        let simulation = simulation::current();
        let waiting = simulation.send(Sent::of(&request, &simulation));
        HttpConnectorFuture::new(async move {
            match waiting.await {
                Some(Ok(Answered { status: 200, replayed, body })) if is_synchronous => {
                    let body = execution::end_of_execution(&body).await;
                    let body = body.ok_or_else(|| ConnectorError::timeout("the execution goes on".into()))?;
                    Ok(response(Answered { status: 200, replayed, body }))
                }
                Some(Ok(answered)) => Ok(response(answered)),
                Some(Err(Unanswered::TimedOut)) => Err(ConnectorError::timeout("no answer in time".into())),
                Some(Err(Unanswered::Reset)) | None => Err(ConnectorError::io("connection reset".into())),
            }
        })
    }
}

fn response(Answered { status, replayed, body }: Answered) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("an HTTP status");
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    if replayed {
        response.headers_mut().insert("idempotent-replayed", "true");
    }
    response
}
