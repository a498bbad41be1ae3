//! A client of the system under test.

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};
use ureq::{Agent, http};

/// A running instance.
pub struct Souk {
    pub(crate) agent: Agent,
    base_url: String,
    /// The URL of the instance's AWS API.
    pub(crate) endpoint_url: String,
    /// The URL of the instance's payment provider.
    pub(crate) payments_url: String,
    /// The URL of the instance's shop.
    pub(crate) shop_url: String,
    /// The URL of the instance's ClickHouse; empty without events.
    pub(crate) clickhouse_url: String,
    broker_pid: Value,
    outputs: HashMap<String, String>,
}

/// The instance that `SOUK_INSTANCE` names.
pub static SOUK: LazyLock<Souk> = LazyLock::new(|| {
    let name = env::var("SOUK_INSTANCE").expect("SOUK_INSTANCE names the instance to test: run tests/e2e");
    Souk::of_instance(&name)
});

pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

impl Souk {
    /// The instance that `localstack/up --name <name>` started.
    pub fn of_instance(name: &str) -> Self {
        let record = record(name);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_idle_connections_per_host(64)
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        Self {
            agent: agent.into(),
            base_url: record["baseUrl"].as_str().unwrap().to_owned(),
            endpoint_url: record["endpointUrl"].as_str().unwrap().to_owned(),
            payments_url: record["paymentsUrl"].as_str().unwrap().to_owned(),
            shop_url: record["shopUrl"].as_str().unwrap().to_owned(),
            clickhouse_url: record["clickhouseUrl"].as_str().unwrap_or_default().to_owned(),
            broker_pid: record["brokerPid"].clone(),
            outputs: serde_json::from_value(record["outputs"].clone()).unwrap(),
        }
    }

    /// The processes that run a function.
    pub fn processes(&self, function: &str) -> Vec<Value> {
        let url = format!("{}/_souk/processes", self.endpoint_url);
        let text = self.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let processes: Value = serde_json::from_str(&text).unwrap();
        processes[format!("souk-{function}")].as_array().cloned().unwrap_or_default()
    }

    /// Kills the processes of a function that are in an invocation, and returns their number.
    pub fn kill_busy(&self, function: &str) -> usize {
        let busy: Vec<_> =
            self.processes(function).into_iter().filter(|process| process["busy"] == true).collect();
        for process in &busy {
            signal("KILL", &process["pid"]);
        }
        busy.len()
    }

    /// Whether an invocation of a function is running.
    pub fn is_busy(&self, function: &str) -> bool {
        self.processes(function).iter().any(|process| process["busy"] == true)
    }

    /// Stops the process of the Kafka broker, which answers nobody until the result is dropped.
    pub fn stop_broker(&self) -> StoppedBroker<'_> {
        signal("STOP", &self.broker_pid);
        StoppedBroker(&self.broker_pid)
    }

    pub fn output(&self, name: &str) -> &str {
        &self.outputs[name]
    }

    /// Sends a GET request without a token.
    pub fn get(&self, path: &str) -> Answer {
        self.send(Call::new("GET", path))
    }

    /// Reads a list to its end by its `next` links. Returns for each page the member `id` of its items.
    pub fn walk(&self, first: &str, id: &str) -> Vec<Vec<String>> {
        self.walk_with(|path| Call::new("GET", path), first, id)
    }

    /// Reads a user's list in the same way.
    pub fn walk_as(&self, user: &User, first: &str, id: &str) -> Vec<Vec<String>> {
        self.walk_with(|path| user.call("GET", path), first, id)
    }

    fn walk_with(&self, call: impl Fn(&str) -> Call, first: &str, id: &str) -> Vec<Vec<String>> {
        let (mut next, mut pages) = (Some(first.to_owned()), Vec::new());
        while let Some(path) = next {
            let page = self.send(call(&path));
            assert_eq!(page.status, 200, "{page:?}");
            let items = page.body["items"].as_array().unwrap();
            pages.push(items.iter().map(|item| item[id].as_str().unwrap().to_owned()).collect());
            let link =
                page.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
            assert_eq!(link.is_some(), page.body["nextCursor"].is_string());
            next = link.map(str::to_owned);
        }
        pages
    }

    pub fn send(&self, call: Call) -> Answer {
        let mut request =
            http::Request::builder().method(call.method.as_str()).uri(self.base_url.clone() + &call.path);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let response = match call.body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = response.unwrap_or_else(|error| panic!("{} {}: {error}", call.method, call.path));
        let bytes = response.body_mut().read_to_vec().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (parts, _) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            bytes,
        }
    }

    /// Registers a new user and logs in.
    pub fn user(&self) -> User {
        let email = new_email();
        let registered = self.send(Call::new("POST", "/users").json(&registration(&email)));
        assert_eq!(registered.status, 201, "{registered:?}");
        let session = self.log_in(&email);
        let token = session.body["accessToken"].as_str().unwrap().to_owned();
        let refresh = session.body["refreshToken"].as_str().unwrap().to_owned();
        User { id: registered.body["userId"].as_str().unwrap().to_owned(), email, token, refresh }
    }

    pub fn log_in(&self, email: &str) -> Answer {
        self.send(Call::new("POST", "/sessions").json(&json!({"email": email, "password": PASSWORD})))
    }

    /// Creates a product with default values.
    pub fn product(&self, seller: &User) -> Answer {
        self.product_of(seller, &draft())
    }

    /// Creates a product with these values.
    pub fn product_of(&self, seller: &User, draft: &Value) -> Answer {
        let created = self.send(seller.call("POST", "/products").json(draft));
        assert_eq!(created.status, 201, "{created:?}");
        created
    }
}

pub const PASSWORD: &str = "correct horse battery";

/// An e-mail address that no other test uses.
pub fn new_email() -> String {
    format!("{}@example.com", unique())
}

/// A unique text.
pub fn unique() -> String {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().fold(String::from("t"), |text, byte| format!("{text}{byte:02x}"))
}

pub fn registration(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "displayName": "Ada"})
}

pub fn draft() -> Value {
    json!({"name": "Kaya jam", "description": "Coconut,\nand egg.", "category": "food", "price": {"amount": 650, "currency": "SGD"}, "stock": 3})
}

/// A user who is logged in.
pub struct User {
    pub id: String,
    pub email: String,
    pub token: String,
    pub refresh: String,
}

impl User {
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, path).header("authorization", &format!("Bearer {}", self.token))
    }
}

/// A request.
#[derive(Clone)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Call {
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: None }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    pub fn text(self, content_type: &str, body: &str) -> Self {
        let mut call = self.header("content-type", content_type);
        call.body = Some(body.into());
        call
    }
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
    pub text: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that it is a complete problem of this kind, sent by a function and not by the gateway.
    pub fn problem(&self, status: u16, kind: &str) -> &Self {
        assert_eq!(
            (self.status, self.header("content-type")),
            (status, "application/problem+json"),
            "{self:?}"
        );
        assert_eq!(self.body["type"], format!("urn:souk:problem:{kind}"), "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert_eq!(self.body["instance"], self.header("x-request-id"), "{self:?}");
        self
    }

    /// The pointers, parameters and headers that a problem's errors name, sorted.
    pub fn faults(&self) -> Vec<String> {
        let place = |fault: &Value| {
            ["pointer", "parameter", "header"]
                .iter()
                .find_map(|kind| fault[kind].as_str())
                .unwrap()
                .to_owned()
        };
        let mut places: Vec<_> = self.body["errors"].as_array().unwrap().iter().map(place).collect();
        places.sort();
        places
    }
}

/// Polls a condition until it is true; fails after a minute.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    const SHORTEST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_millis(200);
    let (end, mut pause) = (Instant::now() + Duration::from_mins(1), SHORTEST);
    while !is_so() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(pause);
        // Conditions are requests, which would take the processors from what they wait for.
        pause = LONGEST.min(pause * 3 / 2);
    }
}

/// Runs `work` on this number of threads, which start at the same time.
pub fn at_once<T: Send>(times: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(times);
    std::thread::scope(|scope| {
        let spawn = |number| {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..times).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A broker that has stopped, and goes on when this is dropped.
pub struct StoppedBroker<'a>(&'a Value);

impl Drop for StoppedBroker<'_> {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}

/// Sends a signal to a process.
pub fn signal(name: &str, pid: &Value) {
    // `kill` fails if the process has already ended, which is no error here.
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).output().unwrap();
}

/// The record of an instance, which localstack/up writes: its URLs, process ids and outputs.
pub fn record(instance: &str) -> Value {
    let file = project().join(".souk").join(instance).join("instance.json");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap()
}
