//! End to end: the system that `localstack/up` deploys from template.yaml, spoken to over HTTP.
//!
//! `tests/run` starts an instance of its own and names it in `SOUK_INSTANCE`. By hand:
//! `localstack/up && SOUK_INSTANCE=local cargo test -p tests --test e2e`.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod behind;
mod cache;
mod catalog;
mod concerts;
mod deletion;
mod identity;
mod limits;
mod order_races;
mod order_saga;
mod orders;
mod ratings;
mod requests;
mod reviews;
mod saga;
mod souk;
mod tokens;
