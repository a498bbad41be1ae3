//! Visitors' events in ClickHouse: rows are inserted and counted through its HTTP interface, with its own client for Rust.
//!
//! The files in `migrations` make the tables. A repeat of an event replaces its first copy when ClickHouse merges parts, and in
//! each query that has `FINAL`; every query has it. Values are parameters of a statement, never parts of its text.

mod experiment_totals;
mod probe;
mod rows;
mod summary;

pub use summary::DayCount;

use clickhouse::Client;
use domain::Error;
use std::time::Duration;

/// The longest time that a query may take, in ClickHouse and on the way. A request makes two.
const QUERY_TIME: Duration = Duration::from_secs(4);

/// Where events are, and as whom they are read and written. It does not implement `Debug`, so that the password is never
/// printed.
pub struct Account<'a> {
    /// The address of the HTTP interface.
    pub url: &'a str,
    /// The name of the database.
    pub database: &'a str,
    /// The user.
    pub user: &'a str,
    /// The user's password.
    pub password: &'a str,
}

/// The client. Connects at first use, and keeps a connection for two seconds at most.
pub struct EventStore {
    client: Client,
}

impl EventStore {
    /// The events of this account.
    pub fn new(account: &Account<'_>) -> Self {
        let client = Client::default()
            .with_url(account.url)
            .with_database(account.database)
            .with_user(account.user)
            // A secret that was entered by hand often ends with a line feed.
            .with_password(account.password.trim());
        Self { client }
    }
}

/// The answer to a query, in time. `Unavailable` if there is none, or if it is an exception.
async fn answered<T>(query: impl Future<Output = Result<T, clickhouse::error::Error>>) -> Result<T, Error> {
    answered_within(QUERY_TIME, query).await
}

/// The answer to a query within this time.
async fn answered_within<T>(
    time: Duration,
    query: impl Future<Output = Result<T, clickhouse::error::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(time, query).await {
        Ok(answer) => answer.map_err(|error| failed(&error)),
        Err(_) => Err(Error::unavailable("ClickHouse: timeout")),
    }
}

/// A failure of ClickHouse is `Unavailable`, also a missing table or a wrong password: the same request succeeds once
/// an operator has corrected that.
fn failed(error: &clickhouse::error::Error) -> Error {
    Error::unavailable(format!("ClickHouse: {error}"))
}
