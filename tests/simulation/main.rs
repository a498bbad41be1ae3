//! The simulation tier: the functions' own code runs in one thread, and a seed or an enumeration decides the order of
//! all their requests, and their faults. See docs/simulation.md.
//!
//! The files of the functions are modules of this program (`functions`). They name two crates that it replaces:
//! `runtime`, which would poll Lambda for events, and `app`, whose macro it extends by a way to call `main`.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate app as clients_of_functions;
extern crate runtime as lambda_shell;
extern crate self as app;
extern crate self as runtime;

mod api;
pub mod cache;
mod chance;
mod concerts;
mod execution;
mod functions;
mod jsonata;
mod lambda;
mod network;
mod orders;
mod point;
mod products;
mod provider;
mod replica;
mod run;
mod search;
mod simulation;
mod stream;
mod trace;
mod waiting;

pub use clients_of_functions::*;
pub use lambda::{consume, serve, step};
pub use lambda_shell::{Application, DeadLetter, Exit, Selected};
