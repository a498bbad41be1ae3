//! The Lambda shell, which runs a function: [`serve`] answers HTTP requests, [`step`] runs one step of a state machine
//! or another JSON call, [`consume`] processes batches of the table's stream, [`drain`] batches of a queue,
//! [`consume_topic`] batches of a Kafka topic. [`consume_together`] processes each batch of the stream as a whole.
//!
//! Only this crate depends on lambda_http and lambda_runtime; it depends on none of the functions' clients. It creates
//! the application once, in the init phase, without delaying the first poll of the Runtime API; it measures and logs
//! every invocation; it turns a panic into a problem. A handler is boxed once and called by non-generic code, so that
//! the runtime is not compiled again for each function.

mod application;
mod http;
mod kafka;
mod queue;
mod steps;
mod stream;
mod telemetry;
mod together;

pub use application::{Application, Stateless};
pub use http::serve;
pub use kafka::{RecordPlace, UnreadableRecord, consume_topic};
pub use queue::drain;
pub use steps::{StepFailure, step, step_result};
pub use stream::{BatchResult, DeadLetter, FailedRecord, Selected, consume, work_through};
pub use together::{consume_together, work_together};

/// The result of `main`: an error if the function could not start.
pub type Exit = Result<(), Box<dyn std::error::Error + Send + Sync>>;
