//! The probe of the events' way: writing it sends it, because the table's stream hands it on as it does batches of events.

use crate::{
    engine::{
        item::{n, number, s, text},
        table::Table,
    },
    keys,
};
use domain::{Error, Timestamp, probe::Probe};

const ID: &str = "probeId";
/// In milliseconds since 1970.
const AT: &str = "at";

impl Table {
    /// The probe that was sent last; `None` before the first one.
    pub async fn probe(&self) -> Result<Option<Probe>, Error> {
        let stored = self.get_item(keys::probe(), true).await?;
        Ok(stored.and_then(|stored| {
            let at = Timestamp::from_unix_milliseconds(number(&stored, AT)?);
            Some(Probe { id: text(&stored, ID)?.parse().ok()?, at })
        }))
    }

    /// Sends a probe in place of the last one.
    pub async fn send_probe(&self, probe: &Probe) -> Result<(), Error> {
        let mut item = keys::probe().primary();
        item.insert(ID.to_owned(), s(probe.id.to_string()));
        item.insert(AT.to_owned(), n(probe.at.unix_milliseconds()));
        self.put(self.client().put_item().set_item(Some(item))).await.map(drop)
    }
}
