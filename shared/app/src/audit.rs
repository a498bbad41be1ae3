//! Audits of derived data: a difference is drift if a second comparison, after a pause, finds the same one.

use domain::Error;
use serde::Serialize;
use std::time::Duration;

/// Numbers that differ.
#[derive(Debug, Serialize)]
pub struct Drift<N> {
    /// As stored.
    pub stored: N,
    /// As counted.
    pub counted: N,
    /// Whether the stored ones were put right.
    pub repaired: bool,
}

/// How long a difference must last without changes, in seconds: more than the usual delay of the stream and of the indexes.
pub fn a_minute() -> u64 {
    60
}

/// A difference that is the same after `quiet_seconds`; one that a delay causes disappears by then. `recount` returns one if
/// there is one.
pub async fn lasting<D: PartialEq>(
    recount: impl AsyncFn() -> Result<Option<D>, Error>,
    quiet_seconds: u64,
) -> Result<Option<D>, Error> {
    let Some(first) = recount().await? else { return Ok(None) };
    tokio::time::sleep(Duration::from_secs(quiet_seconds)).await;
    Ok(recount().await?.filter(|second| *second == first))
}
