//! The lower bound for a function's work: the same client sends the requests of the function again, and does nothing
//! else.
//!
//! This happens in a separate process with one thread, as in a function, so that its CPU time can be measured.

use crate::{
    process::Pid,
    replay,
    services::{Sent, Services},
};
use futures::StreamExt;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// The argument that makes this program such a process.
pub const WORD: &str = "bare-requests";

/// The process that sends the requests.
pub struct Bare {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    at_once: usize,
}

impl Bare {
    /// Starts it, with the services, the URL of the cache, and the number of concurrent requests.
    pub fn start(services: &Services, cache: Option<&str>, at_once: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program is a file"));
        command.args([WORD, &services.url(), &services.broker()]).args(cache);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts again");
        let input = child.stdin.take().expect("it was piped");
        let output = BufReader::new(child.stdout.take().expect("it was piped"));
        Self { child, input, output, at_once }
    }

    /// Sends requests. Returns wall-clock time and CPU time.
    pub fn send(&mut self, requests: &[Sent]) -> (Duration, Duration) {
        let words = serde_json::to_string(&(self.at_once, requests)).expect("requests are JSON");
        self.say(&words);
        let pid = Pid(self.child.id());
        let before = pid.cpu_at_rest();
        let took = self.say("go").parse().expect("a number of nanoseconds");
        (Duration::from_nanos(took), pid.cpu_at_rest().saturating_sub(before))
    }

    fn say(&mut self, words: &str) -> String {
        writeln!(self.input, "{words}").expect("the process listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the process answers");
        answer.trim().to_owned()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The loop of the process: reads requests, prints `ready`, waits for a line, sends the requests, and prints the time
/// in nanoseconds.
pub fn run(url: &str, broker: &str, cache: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = replay::Client::new(url, broker, cache);
    let mut lines = std::io::stdin().lines();
    let mut line = || lines.next().and_then(Result::ok);
    while let Some(requests) = line() {
        let (at_once, requests): (usize, Vec<(String, Value)>) =
            serde_json::from_str(&requests).expect("requests are JSON");
        let requests: Vec<_> =
            requests.into_iter().map(|(name, body)| replay::Request::read(&name, body)).collect();
        println!("ready");
        if line().is_none() {
            break;
        }
        let began = Instant::now();
        runtime.block_on(async {
            let sending = requests.into_iter().map(|request| client.send(request));
            futures::stream::iter(sending).buffer_unordered(at_once).for_each(async |()| ()).await;
        });
        let took = began.elapsed();
        // A connection returns to the pool in a task, which the runtime has to run first.
        runtime.block_on(async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
        println!("{}", took.as_nanos());
    }
}
