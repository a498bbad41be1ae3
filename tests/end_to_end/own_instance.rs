//! Instances that a test has to itself, for settings of its own and for faults that other tests must not meet.

use crate::souk::{Souk, eventually, project, record, signal};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// The most instances for leases of the same parameters.
const MOST_LEASED: usize = 3;

/// An instance that no other test uses at the same time.
pub struct OwnInstance {
    name: String,
    pub souk: Souk,
    /// Whether it has a Kafka broker and ClickHouse.
    has_events: bool,
    /// Whose leases it is for; without one, it is stopped when it is dropped.
    place: Option<Place>,
}

/// Instances that tests lease. tests/e2e stops them in the end.
struct Leased {
    /// By parameters.
    idle: BTreeMap<String, Vec<OwnInstance>>,
    /// Their number by parameters, with those in use.
    started: BTreeMap<String, usize>,
    /// The number of the last name.
    last: usize,
}

static LEASED: Mutex<Leased> =
    Mutex::new(Leased { idle: BTreeMap::new(), started: BTreeMap::new(), last: 0 });
static RELEASED: Condvar = Condvar::new();

/// The settings of the control interface that are reset when a lease ends.
const SETTINGS: [&str; 5] = ["authorizer", "delays", "express", "faults", "indexes"];

impl OwnInstance {
    /// Starts one with empty data. The functions were already built for the shared instance.
    pub fn start(name: &str, parameters: &[&str]) -> Self {
        Self::start_fresh(name, parameters, false)
    }

    /// Starts one with a Kafka broker and ClickHouse, too.
    pub fn start_with_events(name: &str, parameters: &[&str]) -> Self {
        Self::start_fresh(name, parameters, true)
    }

    fn start_fresh(name: &str, parameters: &[&str], has_events: bool) -> Self {
        let mut options = vec!["--fresh"];
        options.extend(parameters.iter().flat_map(|parameter| ["--parameter", parameter]));
        up(name, &options, has_events);
        Self { name: name.into(), souk: Souk::of_instance(name), has_events, place: None }
    }

    /// Takes one that tests with the same parameters use one after the other, or starts one: a start costs more than most
    /// tests. It has the data of those tests, and none of their faults and settings.
    pub fn lease(parameters: &[&str]) -> Self {
        let key = parameters.join(" ");
        let mut leased = leased();
        loop {
            if let Some(idle) = leased.idle.get_mut(&key).and_then(Vec::pop) {
                return idle;
            }
            if leased.started.get(&key).is_none_or(|started| *started < MOST_LEASED) {
                break;
            }
            leased = RELEASED.wait(leased).unwrap_or_else(PoisonError::into_inner);
        }
        *leased.started.entry(key.clone()).or_default() += 1;
        leased.last += 1;
        let name = format!("e2e-leased-{}", leased.last);
        drop(leased);
        let place = Place(key);
        let mut own = Self::start(&name, parameters);
        own.place = Some(place);
        own
    }

    /// Restarts it with its data. All functions start in new processes.
    pub fn restart(&mut self) {
        localstack(&self.name, "down", &[]);
        up(&self.name, &[], self.has_events);
        self.souk = Souk::of_instance(&self.name);
    }

    /// Kills the processes that run a function, and returns their number.
    pub fn kill(&self, function: &str) -> usize {
        let processes = self.souk.processes(function);
        for process in &processes {
            signal("KILL", &process["pid"]);
        }
        processes.len()
    }

    /// A connection to the instance's cache.
    pub fn cache(&self) -> redis::Connection {
        let url = record(&self.name)["cacheUrl"].as_str().expect("the instance has a cache").to_owned();
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    /// Sends a signal to the instance's cache.
    pub fn signal_cache(&self, name: &str) {
        signal(name, &record(&self.name)["cachePid"]);
    }

    /// The logs of all functions and of the gateway.
    pub fn logs(&self) -> String {
        let files = fs::read_dir(project().join(".souk").join(&self.name).join("logs")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    /// The lines of a log, such as `souk-user-get` or `api`, so far.
    pub fn lines(&self, log: &str) -> Vec<Value> {
        self.lines_with(log, "")
    }

    /// The lines of a log that contain a text.
    fn lines_with(&self, log: &str, part: &str) -> Vec<Value> {
        let file = project().join(".souk").join(&self.name).join("logs").join(format!("{log}.log"));
        // The file is there once its first line is written.
        let text = fs::read_to_string(&file).unwrap_or_default();
        let found = text.lines().filter(|line| line.contains(part));
        found.filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok()).collect()
    }

    /// The line that a function logged for a request.
    pub fn log_line(&self, function: &str, request_id: &str) -> Value {
        let mut found = None;
        eventually("the request is logged", || {
            let lines = self.lines_with(&format!("souk-{function}"), request_id);
            found = lines.into_iter().find(|line| line["requestId"] == request_id);
            found.is_some()
        });
        found.unwrap()
    }
}

impl Drop for OwnInstance {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the test used the instance {0}: .souk/{0}/logs", self.name);
        }
        // Nobody knows in which state a failed test has left it.
        let Some(place) = self.place.take().filter(|_| !thread::panicking()) else {
            localstack(&self.name, "down", &[]);
            return;
        };
        self.souk.reset(&SETTINGS);
        let (key, souk) = (place.0.clone(), Souk::of_instance(&self.name));
        let own = Self { name: self.name.clone(), souk, has_events: self.has_events, place: Some(place) };
        leased().idle.entry(key).or_default().push(own);
        RELEASED.notify_all();
    }
}

/// One of the instances that are leased with these parameters.
struct Place(String);

impl Drop for Place {
    fn drop(&mut self) {
        leased().started.entry(self.0.clone()).and_modify(|started| *started -= 1);
        RELEASED.notify_all();
    }
}

fn leased() -> MutexGuard<'static, Leased> {
    LEASED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn up(name: &str, options: &[&str], has_events: bool) {
    let events: &[_] = if has_events { &[] } else { &["--no-events"] };
    localstack(name, "up", &[options, &["--port", "0", "--no-build", "--no-demo"], events].concat());
}

fn localstack(name: &str, command: &str, arguments: &[&str]) {
    let mut command_line = Command::new(project().join("localstack").join(command));
    let output = command_line.args(["--name", name]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
