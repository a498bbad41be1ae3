//! The context of functions in these tests: a world's table and the tests' time.

use app::{Context, context::Host, settings::Settings};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use domain::{Error, Timestamp};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};
use tests::{TABLE_NAME, World, config, samples::now};

/// The log lines about single orders that a function has written.
pub type Lines = Arc<Mutex<Vec<String>>>;

struct TestHost {
    now: Timestamp,
    /// The byte that the next random value consists of.
    next: AtomicU8,
    lines: Lines,
}

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        bytes.fill(self.next.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }

    fn write_line(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
}

/// A context whose AWS clients call a world, with additional settings.
pub fn context(world: &World, settings: &[(&str, &str)]) -> Context {
    context_at(world, settings, now(), &Lines::default())
}

/// As [`context`], at another time, with a log that the test reads.
pub fn context_at(world: &World, settings: &[(&str, &str)], now: Timestamp, lines: &Lines) -> Context {
    of_host(world, settings, TestHost { now, next: AtomicU8::new(7), lines: Arc::clone(lines) })
}

/// As [`context`], at another time, with random values that begin with this byte.
pub fn context_from(world: &World, settings: &[(&str, &str)], now: Timestamp, next: u8) -> Context {
    of_host(world, settings, TestHost { now, next: AtomicU8::new(next), lines: Lines::default() })
}

fn of_host(world: &World, settings: &[(&str, &str)], host: TestHost) -> Context {
    let sdk = config(SharedHttpClient::new(world.wire.clone()), "https://aws.test.example");
    let settings = [("TABLE_NAME", TABLE_NAME)].iter().chain(settings);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Context::new(Settings::These(settings), sdk, Arc::new(host))
}
