//! What the tests stand on: the project's own files, and a table of one test's own.
//!
//! [`World`] is the real `table::Table` with the real AWS client; only the network is replaced, by a [`Wire`] that
//! leads to an engine in this process and that can be made to fail as networks and DynamoDB do.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

mod database;
pub mod items;
pub mod project;
pub mod samples;
pub mod template;
pub mod units;
mod wire;
mod world;

pub use database::{Answer, Database};
pub use wire::{Fault, Sent, Wire};
pub use world::{World, config};
