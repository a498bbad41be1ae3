//! Keys of the events of visitors on their way to ClickHouse.

use super::Key;
use domain::event_batch::BatchId;

/// The events of visitors that one request has brought.
pub fn event_batch(id: BatchId) -> Key {
    Key::new(format!("EVENTS#{id}"), "EVENTS")
}

/// The beginning of the partition key of a batch of visitors' events.
const EVENT_BATCH_PREFIX: &str = "EVENTS#";

/// The id in the partition key of a batch of visitors' events, or what stands in its place. `None` for another item.
pub(crate) fn parse_event_batch(pk: &str) -> Option<Result<BatchId, &str>> {
    let id = pk.strip_prefix(EVENT_BATCH_PREFIX)?;
    Some(id.parse().map_err(|_| id))
}

/// The partition of the probe of the events' way.
pub(crate) const PROBE: &str = "PROBE";

/// The probe of the events' way that was sent last.
pub fn probe() -> Key {
    Key::new(PROBE, "PROBE")
}
