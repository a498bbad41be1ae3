//! Probes: events of our own, which show how long events take to where they are counted.

use crate::Timestamp;
use uuid::Uuid;

/// The number of visitors that probes take turns as, so that in time they pass through all partitions of the topic.
const VISITORS: u128 = 16;

/// Until when the stream has a record: what is not counted by then, nothing brings any more.
const LOST_AFTER_SECONDS: u64 = 24 * 60 * 60;

/// A probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The id of its event.
    pub id: Uuid,
    /// When it was sent.
    pub at: Timestamp,
}

/// What is done about the probe that was sent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeReport {
    /// The age of the probe that has not arrived, in milliseconds; 0 if it has.
    pub lag_ms: u64,
    /// Whether the next one is sent.
    pub sends: bool,
}

impl Probe {
    /// The visitor of its event.
    pub fn visitor(&self) -> String {
        visitor(self.id.as_u128() % VISITORS)
    }

    /// How late the events are, by this probe. The next one is sent when it has arrived, or when it is lost: until then
    /// it is the oldest event that is missing.
    pub fn report(&self, has_arrived: bool, now: Timestamp) -> ProbeReport {
        let age_ms = now.unix_milliseconds().saturating_sub(self.at.unix_milliseconds());
        let is_lost = age_ms >= LOST_AFTER_SECONDS * 1000;
        ProbeReport { lag_ms: if has_arrived { 0 } else { age_ms }, sends: has_arrived || is_lost }
    }
}

/// The visitors of all probes. Clients may use their names: their events have another kind.
pub fn probe_visitors() -> impl Iterator<Item = String> {
    (0..VISITORS).map(visitor)
}

fn visitor(number: u128) -> String {
    format!("probe-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Timestamp {
        Timestamp::from_unix_milliseconds(1_795_248_000_000)
    }

    fn probe(id: u128) -> Probe {
        Probe { id: Uuid::from_u128(id), at: sent() }
    }

    #[test]
    fn probes_pass_as_sixteen_visitors() {
        let visitors: Vec<_> = probe_visitors().collect();
        assert_eq!(visitors.len(), 16);
        assert!((0..100).all(|id| visitors.contains(&probe(id).visitor())));
        assert_ne!(probe(1).visitor(), probe(2).visitor());
    }

    #[test]
    fn a_probe_that_has_not_arrived_is_waited_for_as_long_as_it_can_arrive() {
        let report = |has_arrived, seconds| {
            let ProbeReport { lag_ms, sends } = probe(1).report(has_arrived, sent().plus_seconds(seconds));
            (lag_ms, sends)
        };
        assert_eq!(report(true, 60), (0, true));
        assert_eq!(report(false, 60), (60_000, false));
        assert_eq!(report(false, 86_399), (86_399_000, false));
        assert_eq!(report(false, 86_400), (86_400_000, true));
    }
}
