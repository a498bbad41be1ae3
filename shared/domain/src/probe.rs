//! Probes: events of our own, which show how long events take to where they are counted.

use crate::Timestamp;
use uuid::Uuid;

/// The number of visitors that probes take turns as. Their names are in all partitions of a topic of 12 partitions, which needs 47 of
/// them, and one probe a minute passes through each partition within an hour. A power of two.
const VISITORS: u128 = 64;

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
    /// The probe after `last`, as the next visitor in turn. `random` is the rest of its id.
    pub fn after(last: Option<&Self>, random: Uuid, at: Timestamp) -> Self {
        let turn = last.map_or(0, |last| (last.id.as_u128() + 1) % VISITORS);
        // The last bits of a random UUID are neither its version nor its variant.
        Self { id: Uuid::from_u128(random.as_u128() / VISITORS * VISITORS + turn), at }
    }

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
    fn probes_take_turns_as_64_visitors() {
        let visitors: Vec<_> = probe_visitors().collect();
        let random =
            |number: u64| uuid::Builder::from_random_bytes([number.to_le_bytes()[0]; 16]).into_uuid();
        let mut last = Probe::after(None, random(255), sent());
        let mut passed = vec![last.visitor()];
        for number in 0..127 {
            last = Probe::after(Some(&last), random(number), sent());
            assert_eq!((last.id.get_version_num(), last.at), (4, sent()));
            passed.push(last.visitor());
        }
        assert_eq!(visitors.len(), 64);
        assert_eq!(passed, [visitors.clone(), visitors].concat());
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
