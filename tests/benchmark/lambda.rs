//! A function's process, and the Runtime API that sends it events.

use crate::{http1::Connection, process::Pid, server::Server, services::TABLE};
use serde_json::Value;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// A limit that no benchmark reaches.
const PLENTY: &str = "1000000000";

/// What the Runtime API observes, and when.
enum Happened {
    Polled(Instant),
    HandedOut(Instant),
    Answered(Instant, Vec<u8>),
    Failed(Vec<u8>),
}

/// A started function. It may not have polled yet.
pub struct Function {
    child: Child,
    started: Instant,
    events: Sender<Vec<u8>>,
    happened: Receiver<Happened>,
    _server: Server,
}

impl Function {
    /// Starts a program as Lambda does, with an environment of Lambda's variables and these only.
    pub fn start(program: &Path, environment: &[(&str, String)]) -> Self {
        let (events, to_hand_out) = channel();
        let (tell, happened) = channel();
        let to_hand_out = Arc::new(Mutex::new(to_hand_out));
        let server = Server::start(move |stream| runtime_api(Connection::new(stream), &to_hand_out, &tell));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", server.port))
            .env("AWS_LAMBDA_FUNCTION_NAME", "souk-function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "log")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "log")
            .env("AWS_REGION", "ap-southeast-1")
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("CLICKHOUSE_DATABASE", "souk")
            .env("CLICKHOUSE_SECRET_ARN", "arn:aws:secretsmanager:ap-southeast-1:0:secret:clickhouse")
            .env("CLICKHOUSE_USER", "souk")
            .env("EVENT_INGEST_FAILED_QUEUE_URL", "https://sqs.ap-southeast-1.amazonaws.com/0/ingest")
            .env("EVENT_SINK_FAILED_QUEUE_URL", "https://sqs.ap-southeast-1.amazonaws.com/0/sink")
            .env("LIMIT_DECLINED", PLENTY)
            .env("LIMIT_EVENTS_SOURCE", PLENTY)
            .env("LIMIT_ORDERS", PLENTY)
            .env("LIMIT_PRODUCT_CHANGES", PLENTY)
            .env("LIMIT_REVIEWS", PLENTY)
            .env("LIMIT_SEARCH_SOURCE", PLENTY)
            .env("LIMIT_WINDOW_SECONDS", "3600")
            .env("METRICS_NAMESPACE", "Souk")
            .env("ORDER_PLACE_MACHINE_ARN", "arn:aws:states:ap-southeast-1:0:stateMachine:order-place")
            .env("RATING_AVERAGE_FAILED_QUEUE_URL", "https://sqs.ap-southeast-1.amazonaws.com/0/rating")
            .env("TABLE_NAME", TABLE)
            .env("VISITOR_SECRET_ARN", "arn:aws:secretsmanager:ap-southeast-1:0:secret:visitor")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self { child, started, events, happened, _server: server }
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid(self.child.id())
    }

    /// The time from its start to its first poll.
    pub fn polled(&self) -> Duration {
        match self.next() {
            Happened::Polled(at) => at - self.started,
            _ => panic!("a function begins with a poll"),
        }
    }

    /// The time from its start to the answer to its first event, which is sent after the first poll.
    pub fn first_answer(&self, event: &Value) -> Duration {
        self.polled();
        let (at, _) = self.answer(event);
        at - self.started
    }

    /// Sends an event. Returns the time from sending to the answer, and the answer, once the function has polled
    /// again.
    pub fn invoke(&self, event: &Value) -> (Duration, Value) {
        let ((at, handed_out), answer) = {
            let _ = self.events.send(event.to_string().into_bytes());
            let Happened::HandedOut(handed_out) = self.next() else { panic!("an event is handed out first") };
            let (at, answer) = self.answered();
            ((at, handed_out), answer)
        };
        let Happened::Polled(_) = self.next() else { panic!("a function polls after its answer") };
        (at - handed_out, answer)
    }

    fn answer(&self, event: &Value) -> (Instant, Value) {
        let _ = self.events.send(event.to_string().into_bytes());
        let Happened::HandedOut(_) = self.next() else { panic!("an event is handed out first") };
        self.answered()
    }

    fn answered(&self) -> (Instant, Value) {
        match self.next() {
            Happened::Answered(at, answer) => (at, serde_json::from_slice(&answer).unwrap_or(Value::Null)),
            _ => panic!("a function answers before it polls"),
        }
    }

    fn next(&self) -> Happened {
        match self.happened.recv_timeout(PATIENCE).expect("the function does something") {
            Happened::Failed(error) => panic!("the function failed: {}", String::from_utf8_lossy(&error)),
            happened => happened,
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn runtime_api(
    mut connection: Connection,
    to_hand_out: &Mutex<Receiver<Vec<u8>>>,
    tell: &Sender<Happened>,
) -> std::io::Result<()> {
    while let Some(request) = connection.read()? {
        let at = Instant::now();
        if request.line.ends_with("/next") {
            let _ = tell.send(Happened::Polled(at));
            let event = to_hand_out.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(event) = event else { break };
            let deadline = "lambda-runtime-deadline-ms: 4102444800000\r\n";
            let headers = format!(
                "content-type: application/json\r\nlambda-runtime-aws-request-id: \
                 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n{deadline}lambda-runtime-invoked-function-arn: \
                 arn:aws:lambda:ap-southeast-1:0:function:souk-function\r\nlambda-runtime-trace-id: \
                 Root=1-691f5d63-3f1a2b4c5d6e7f8091a2b3c4;Sampled=0\r\n"
            );
            // Reported before the event is sent, so that the answer cannot be reported first. The measured time
            // therefore includes this report.
            let _ = tell.send(Happened::HandedOut(Instant::now()));
            connection.answer(200, &headers, &event)?;
        } else {
            let happened = if request.line.ends_with("/response") {
                Happened::Answered(at, request.body)
            } else {
                Happened::Failed(request.body)
            };
            let _ = tell.send(happened);
            connection.answer(202, "", b"")?;
        }
    }
    Ok(())
}
