//! The hosts of a crawl: which of them are left alone.

use crate::{looks::back_off_after, table::Table};
use crawl::{Failure, Visit};
use domain::{Error, Timestamp, back_off::BackOff};
use futures::lock::Mutex;
use std::{cell::RefCell, collections::HashMap, rc::Rc};

/// A host that fails this often in a row is left alone for the rest of the crawl. A single page may fail on a host that works.
const FAILURES: u32 = 3;

/// A host, as far as the crawl knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The back-off that is stored.
    stored: BackOff,
    /// The back-off after what the crawl has seen.
    next: BackOff,
    /// Failures in a row.
    failures: u32,
}

/// The hosts that a crawl has met. Each is read once.
#[derive(Default)]
pub(crate) struct Hosts(RefCell<HashMap<String, Rc<Mutex<Option<Known>>>>>);

impl Hosts {
    /// Whether a host may be asked. With `insist`, failures do not matter, but its own wish does.
    pub(crate) async fn may_ask(
        &self,
        table: &Table,
        host: &str,
        insist: bool,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let entry = self.entry(host);
        let mut entry = entry.lock().await;
        let known = if let Some(known) = *entry {
            known
        } else {
            let stored = table.back_off(host).await?;
            *entry.insert(Known { stored, next: stored, failures: 0 })
        };
        let wanted = known.next.may_insist(now);
        Ok(wanted && (insist || known.stored.may_ask(now) && known.failures < FAILURES))
    }

    /// Takes note of a visit. A host's wish to be left alone is stored at once.
    pub(crate) async fn note(
        &self,
        table: &Table,
        host: &str,
        visit: &Result<Visit, Failure>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let entry = self.entry(host);
        let mut entry = entry.lock().await;
        let mut known = entry.unwrap_or_default();
        // From what is stored: visits at the same time fail for the same reason, and count once.
        known.next = back_off_after(known.stored, visit, now);
        match visit {
            Err(failure) if failure.is_own_pace => return Ok(()),
            Err(failure) if failure.reason.may_pass() => known.failures += 1,
            _ => known.failures = 0,
        }
        if !known.next.may_insist(now) {
            table.set_back_off(host, &known.next).await?;
            known.stored = known.next;
        }
        *entry = Some(known);
        Ok(())
    }

    /// Stores what has changed.
    pub(crate) async fn store(&self, table: &Table) -> Result<(), Error> {
        for (host, known) in self.0.take() {
            let known = *known.lock().await;
            if let Some(known) = known.filter(|known| known.next != known.stored) {
                table.set_back_off(&host, &known.next).await?;
            }
        }
        Ok(())
    }

    fn entry(&self, host: &str) -> Rc<Mutex<Option<Known>>> {
        self.0.borrow_mut().entry(host.to_owned()).or_default().clone()
    }
}
