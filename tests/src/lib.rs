//! The test harness: access to the project's files, and a separate table for each test.
//!
//! [`World`] is the real `table::Table` with the real AWS client. Only the network is replaced: a [`Wire`] connects the
//! client to an in-process engine and can inject the faults of a network and of DynamoDB.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

mod database;
pub mod generated;
mod histories;
pub mod items;
mod local;
pub mod pages;
pub mod project;
mod refused;
pub mod samples;
pub mod template;
pub mod units;
pub mod webhook;
mod wire;
mod world;

pub use database::{Answer, Database};
pub use histories::histories;
pub use wire::{Fault, Sent, Wire};
pub use world::{TABLE_NAME, World, config};
