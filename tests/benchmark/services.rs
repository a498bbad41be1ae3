//! Servers for the services that functions call: DynamoDB, which is the engine of the table tests behind HTTP, Step
//! Functions, Secrets Manager, ClickHouse, and a broker of Kafka.

use crate::{broker, clickhouse, data::SECRET, http1::Connection, server::Server};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tests::{Answer, Database, template::Template};

/// The table's name. The engine refuses short names.
pub const TABLE: &str = "souk-of-a-benchmark";

/// A request: operation and body.
pub type Sent = (String, Value);

/// A table that functions access over HTTP, and the other services.
pub struct Services {
    server: Server,
    broker: Server,
    state: Arc<State>,
}

struct State {
    database: Database,
    sent: Mutex<Vec<Sent>>,
    connections: AtomicUsize,
}

impl Services {
    /// Starts the servers, with the template's table and these items.
    pub fn start(items: impl IntoIterator<Item = Vec<dynoxide::Item>>) -> Self {
        let database = Database::with_table(Template::ours().table(TABLE));
        for items in items {
            database.import(TABLE, items);
        }
        let state = Arc::new(State { database, sent: Mutex::default(), connections: AtomicUsize::default() });
        let (of_server, of_broker) = (Arc::clone(&state), Arc::clone(&state));
        let server = Server::start(move |stream| serve(&of_server, Connection::new(stream)));
        let broker = broker::start(move |records| of_broker.record(("Produce".to_owned(), json!(records))));
        Self { server, broker, state }
    }

    /// The URL of all services but the broker.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// The address of the broker.
    pub fn broker(&self) -> String {
        format!("127.0.0.1:{}", self.broker.port)
    }

    /// The settings of a function that calls these services.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("CLICKHOUSE_URL", self.url()),
            ("KAFKA_BROKERS", self.broker()),
        ]
    }

    /// The requests since the last call.
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.state.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of connections that clients have opened, without those to the broker.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl State {
    fn record(&self, sent: Sent) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }
}

/// The answer to StartExecution: functions use this server as Step Functions too.
fn started() -> Answer {
    let execution = "arn:aws:states:ap-southeast-1:0:execution:order-place:order";
    Answer { status: 200, body: json!({"executionArn": execution, "startDate": 1_763_659_827}) }
}

fn serve(state: &State, mut connection: Connection) -> std::io::Result<()> {
    state.connections.fetch_add(1, Ordering::Relaxed);
    while let Some(request) = connection.read()? {
        let Some((service, operation)) =
            request.header("x-amz-target").and_then(|target| target.split_once('.'))
        else {
            // `Table::prime` sends `GET /` to open a connection.
            let (answer, sent) = clickhouse::answer(&request).unwrap_or_else(|| (b"healthy".to_vec(), None));
            if let Some(sent) = sent {
                state.record(sent);
            }
            connection.answer(200, "", &answer)?;
            continue;
        };
        if service == "secretsmanager" {
            let secret = json!({"SecretString": SECRET}).to_string();
            connection.answer(200, "content-type: application/x-amz-json-1.1\r\n", secret.as_bytes())?;
            continue;
        }
        let body: Value = serde_json::from_slice(&request.body)?;
        let sent = (operation.to_owned(), body.clone());
        let answer = match service {
            "AWSStepFunctions" => started(),
            _ => state.database.carry_out(operation, body),
        };
        state.record(sent);
        let text = answer.body.to_string();
        connection.answer(answer.status, "content-type: application/x-amz-json-1.0\r\n", text.as_bytes())?;
    }
    Ok(())
}
