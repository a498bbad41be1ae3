//! The numbers of pages that a crawl read, changed and could not read: its result, and its metrics in the log.

use crate::context::Context;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ops::AddAssign;

/// The result of a look at an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The page says what is known, or was looked at by somebody else at the same time.
    Unchanged,
    /// The page says something else, or can be read again.
    Changed,
    /// The page could not be read.
    Failed,
    /// The host is to be left alone.
    Left,
    /// Nobody watches the item any more.
    Unwatched,
}

/// The number of items that a crawl looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrawlCounts {
    /// Pages that were read, or could not be.
    pub checked: usize,
    /// Those of them that said something else than before.
    pub changed: usize,
    /// Those that could not be read.
    pub failed: usize,
    /// Items whose host was left alone.
    pub left: usize,
    /// Items that nobody watches any more; they are not looked at again.
    pub unwatched: usize,
    /// Messages with what is left.
    pub queued: usize,
}

impl CrawlCounts {
    pub(crate) fn count(&mut self, look: Look) {
        let counted = match look {
            Look::Unchanged => None,
            Look::Changed => Some(&mut self.changed),
            Look::Failed => Some(&mut self.failed),
            Look::Left => Some(&mut self.left),
            Look::Unwatched => Some(&mut self.unwatched),
        };
        if let Some(counted) = counted {
            *counted += 1;
        }
        self.checked += usize::from(!matches!(look, Look::Left | Look::Unwatched));
    }
}

impl AddAssign for CrawlCounts {
    fn add_assign(&mut self, other: Self) {
        self.checked += other.checked;
        self.changed += other.changed;
        self.failed += other.failed;
        self.left += other.left;
        self.unwatched += other.unwatched;
        self.queued += other.queued;
    }
}

impl Context {
    /// Writes the counts to the log, in CloudWatch's embedded metric format.
    pub(crate) fn report_crawl(&self, counts: &CrawlCounts, at: Timestamp) {
        let metrics = [
            ("PagesChecked", counts.checked),
            ("PagesChanged", counts.changed),
            ("PagesFailed", counts.failed),
        ];
        let metrics = metrics.map(|(name, count)| (name, "Count", count.into()));
        self.write_metrics(&metrics, json!({"crawl": counts}), at);
    }
}
