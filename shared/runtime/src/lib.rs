//! How a function runs: [`serve`] answers HTTP requests, [`step`] takes one step of a state machine or answers
//! another service's call, [`consume`] works through batches of a stream.
//!
//! This is the only crate that knows lambda_http and lambda_runtime. It makes clients once, in the init phase, without
//! holding up the first poll of the Runtime API; it times, counts and logs every invocation; it turns a panic into a
//! problem. A handler is boxed once into code that is not generic, so that forty functions do not compile the runtime
//! forty times.

mod app;
mod asked;
mod aws;
mod cache;
mod environment;
mod http;
mod limits;
mod machines;
mod payments;
mod secrets;
mod signing;
mod steps;
mod stream;
mod telemetry;

pub use app::App;
pub use asked::Execution;
pub use cache::Now;
pub use http::serve;
pub use machines::{Standing, Started};
pub use steps::step;
pub use stream::{Outcome, Work, consume, work_through};

/// What `main` answers: nothing, or why the function could not start.
pub type Exit = Result<(), Box<dyn std::error::Error + Send + Sync>>;
