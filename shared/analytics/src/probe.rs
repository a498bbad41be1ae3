//! Probes: how far ClickHouse has what was sent.

use crate::{EventStore, answered};
use domain::{
    Error, Timestamp,
    probe::{Probe, probe_visitors},
};

/// Whether a probe is stored. Its key is the table's sorting key.
const STORED: &str = "SELECT count() FROM events
    WHERE experiment = '' AND visitor = {visitor:String} AND kind = 'probe' AND id = {id:UUID}";

/// When the newest stored probe was sent; 0 if there is none.
const NEWEST: &str = "SELECT toUnixTimestamp64Milli(max(at)) FROM events
    WHERE experiment = '' AND visitor IN {visitors:Array(String)} AND kind = 'probe'";

impl EventStore {
    /// Whether this probe has arrived.
    pub async fn has_probe(&self, probe: &Probe) -> Result<bool, Error> {
        let query =
            self.client.query(STORED).param("visitor", probe.visitor()).param("id", probe.id.to_string());
        let stored: u64 = answered(query.fetch_one()).await?;
        Ok(stored > 0)
    }

    /// When the newest probe was sent that has arrived: what was published before it has arrived too, or is about to.
    pub async fn newest_probe(&self) -> Result<Option<Timestamp>, Error> {
        let visitors: Vec<String> = probe_visitors().collect();
        let newest: i64 = answered(self.client.query(NEWEST).param("visitors", visitors).fetch_one()).await?;
        let newest = u64::try_from(newest).ok().filter(|newest| *newest > 0);
        Ok(newest.map(Timestamp::from_unix_milliseconds))
    }
}
