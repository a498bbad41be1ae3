//! The status document of a concert request.

use domain::{concert::Progress, id::ConcertId};
use serde::Serialize;

/// The status of a concert request, which its `Location` serves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcertStatus {
    /// The id that the concert has or will have.
    pub concert_id: ConcertId,
    /// The state of the request.
    #[serde(flatten)]
    pub progress: Progress,
}
