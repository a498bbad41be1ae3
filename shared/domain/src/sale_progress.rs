//! How far the crawl of a flash sale's session has come, and what it did.

use crate::{
    Timestamp,
    flash_sale::SaleId,
    observation::{ItemId, Reason},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeSet;

/// The most pages of a session that are asked for.
pub const MOST_PAGES: u32 = 1000;
/// The most items of a session that are read.
pub const MOST_ITEMS: usize = 10_000;
/// A session whose pages fail this many times in a row is left until the next crawl.
const MOST_FAILURES_IN_A_ROW: u32 = 5;
/// The most failures that a report describes. The others are counted.
const MOST_DESCRIBED: usize = 10;
/// The most characters of an address in a report.
const DESCRIBED_CHARACTERS: usize = 200;

/// The items that a crawl has seen, by the first bytes of their ids: as text, ten thousand of them are 120 KB of the 256 KiB
/// that a state machine passes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenItems(BTreeSet<[u8; 6]>);

impl SeenItems {
    fn start_of(id: ItemId) -> [u8; 6] {
        id.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// Whether the item was seen.
    pub fn contains(&self, id: ItemId) -> bool {
        self.0.contains(&Self::start_of(id))
    }

    /// Adds an item; false if it was seen before.
    pub fn insert(&mut self, id: ItemId) -> bool {
        self.0.insert(Self::start_of(id))
    }

    /// How many were seen.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for SeenItems {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.0.iter().flatten().map(|byte| format!("{byte:02x}"));
        serializer.serialize_str(&digits.collect::<String>())
    }
}

impl<'de> Deserialize<'de> for SeenItems {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parse = |digits: &[u8]| {
            let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            number.to_be_bytes().last_chunk().copied()
        };
        let items: Option<_> = text.as_bytes().chunks(12).map(parse).collect();
        items.map(Self).ok_or_else(|| de::Error::custom("not a list of items"))
    }
}

/// Why a crawl of a session ended before the end of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// The time of the execution was over.
    Time,
    /// More than [`MOST_PAGES`].
    TooManyPages,
    /// More than [`MOST_ITEMS`].
    TooManyItems,
    /// A page leads to itself or to an earlier one, or has nothing but items of earlier ones.
    Repeats,
    /// Pages failed one after the other, or one failed after which nothing says that there are more.
    Failing,
    /// The host asked for a pause.
    RateLimited,
}

/// A page or an item that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleFailure {
    /// The number of the page.
    pub page: u32,
    /// The start of the item's address; `None` for the page itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// The result of recording an item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It was in no session before.
    New,
    /// Price, availability or name have changed.
    Changed,
    /// Nothing was written.
    Unchanged,
    /// It could not be read.
    Failed(Reason),
}

/// What a crawl of a session did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleReport {
    /// The session.
    pub id: SaleId,
    /// Pages that were read.
    pub pages: u32,
    /// Items that were read.
    pub items: u32,
    /// Those that were in no session before.
    pub new: u32,
    /// Those whose price, availability or name has changed.
    pub changed: u32,
    /// Stored items that the list does not have any more.
    pub removed: u32,
    /// Entries with an address on another host, which were not asked for.
    pub elsewhere: u32,
    /// Pages that could not be read.
    pub failed_pages: u32,
    /// Items that could not be read.
    pub failed_items: u32,
    /// The first failures.
    pub failures: Vec<SaleFailure>,
    /// Why the crawl ended before the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
}

impl SaleReport {
    /// Counts what became of an item.
    pub fn count(&mut self, page: u32, url: &str, recorded: ItemOutcome) {
        match recorded {
            ItemOutcome::Failed(reason) => {
                self.failed_items += 1;
                self.describe(page, Some(url.chars().take(DESCRIBED_CHARACTERS).collect()), reason);
                return;
            }
            ItemOutcome::New => self.new += 1,
            ItemOutcome::Changed => self.changed += 1,
            ItemOutcome::Unchanged => {}
        }
        self.items += 1;
    }

    fn describe(&mut self, page: u32, item: Option<String>, reason: Reason) {
        if self.failures.len() < MOST_DESCRIBED {
            self.failures.push(SaleFailure { page, item, reason });
        }
    }
}

/// The next page of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextPage {
    /// Its number.
    pub number: u32,
    /// Its address, if a link says so; otherwise the session's with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The links of a page to others of its list (RFC 8288).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageLinks {
    /// `next`: its number if its address has one, and its address.
    pub next: Option<(Option<u32>, String)>,
    /// The number of `last`.
    pub last: Option<u32>,
}

/// How far the crawl of a session has come: what one invocation hands to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleProgress {
    /// When it began.
    pub began_at: Timestamp,
    /// The page that is read next; `None` at the end.
    pub next: Option<NextPage>,
    /// The number of the last page, once a page has said it.
    pub last: Option<u32>,
    /// Pages that failed since one was read.
    pub failures_in_a_row: u32,
    /// The items of the pages so far.
    pub seen: SeenItems,
    /// What was done so far.
    pub report: SaleReport,
}

impl SaleProgress {
    /// Before the first page.
    pub fn begin(id: SaleId, now: Timestamp) -> Self {
        Self {
            began_at: now,
            next: Some(NextPage { number: 1, url: None }),
            last: None,
            failures_in_a_row: 0,
            seen: SeenItems::default(),
            report: SaleReport {
                id,
                pages: 0,
                items: 0,
                new: 0,
                changed: 0,
                removed: 0,
                elsewhere: 0,
                failed_pages: 0,
                failed_items: 0,
                failures: Vec::new(),
                stopped: None,
            },
        }
    }

    /// After page `number` was read: goes on to the page that it links to, if that is a later one, else to the next one up to
    /// the last. `has_new`: it has an item that no earlier page had, or none that could be told.
    pub fn page_read(&mut self, number: u32, links: PageLinks, has_new: bool) {
        self.report.pages += 1;
        self.failures_in_a_row = 0;
        self.last = links.last.or(self.last);
        let has_link = links.next.is_some();
        let linked = links.next.and_then(|(linked, url)| {
            let linked = linked.unwrap_or(number.saturating_add(1));
            (linked > number).then_some(NextPage { number: linked, url: Some(url) })
        });
        let linked = linked.filter(|_| has_new || self.last.is_some());
        match linked.or_else(|| self.following(number)) {
            Some(next) => self.go_on(next),
            None if has_link => self.stop(Stopped::Repeats),
            None => self.next = None,
        }
    }

    /// After page `number` could not be read: goes on to the next one, if there is to be one.
    pub fn page_failed(&mut self, number: u32, reason: Reason) {
        self.report.failed_pages += 1;
        self.report.describe(number, None, reason);
        self.failures_in_a_row += 1;
        match self.following(number) {
            _ if reason == Reason::RateLimited => self.stop(Stopped::RateLimited),
            Some(next) if self.failures_in_a_row < MOST_FAILURES_IN_A_ROW => self.go_on(next),
            _ => self.stop(Stopped::Failing),
        }
    }

    /// Ends the crawl before the end of the list.
    pub fn stop(&mut self, why: Stopped) {
        self.next = None;
        self.report.stopped = Some(why);
    }

    /// Whether the whole list was read, so that stored items that were not seen are in it no more.
    pub fn is_complete(&self) -> bool {
        self.next.is_none() && self.report.stopped.is_none() && self.report.failed_pages == 0
    }

    fn following(&self, number: u32) -> Option<NextPage> {
        let is_before_last = self.last.is_some_and(|last| number < last);
        is_before_last.then(|| NextPage { number: number.saturating_add(1), url: None })
    }

    fn go_on(&mut self, next: NextPage) {
        if self.seen.len() > MOST_ITEMS {
            self.stop(Stopped::TooManyItems);
        } else if next.number > MOST_PAGES || self.report.pages >= MOST_PAGES {
            self.stop(Stopped::TooManyPages);
        } else {
            self.next = Some(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn begun() -> SaleProgress {
        SaleProgress::begin("noon/1".parse().unwrap(), Timestamp::from_unix_milliseconds(0))
    }

    fn next(number: u32) -> PageLinks {
        PageLinks { next: Some((Some(number), format!("https://shop.com/sale?page={number}"))), last: None }
    }

    fn number(progress: &SaleProgress) -> Option<u32> {
        progress.next.as_ref().map(|next| next.number)
    }

    #[test]
    fn a_list_is_followed_to_its_end() {
        let mut progress = begun();
        progress.page_read(1, next(2), true);
        assert_eq!(progress.next.as_ref().unwrap().url.as_deref(), Some("https://shop.com/sale?page=2"));
        progress.page_read(
            2,
            PageLinks { next: Some((None, "https://shop.com/sale?after=x".into())), last: None },
            true,
        );
        assert_eq!(number(&progress), Some(3));
        assert!(!progress.is_complete());
        progress.page_read(3, PageLinks::default(), true);
        assert!(progress.is_complete() && progress.report.pages == 3);
    }

    #[test]
    fn a_failed_page_is_passed_if_the_list_says_that_there_are_more() {
        let mut progress = begun();
        progress.page_read(1, PageLinks { last: Some(3), ..next(2) }, true);
        progress.page_failed(2, Reason::ServerError);
        assert_eq!(progress.next, Some(NextPage { number: 3, url: None }));
        progress.page_read(3, PageLinks::default(), true);
        assert_eq!(
            (progress.next.is_none(), progress.is_complete(), progress.report.stopped),
            (true, false, None)
        );
        assert_eq!(
            json!(progress.report),
            json!({"id": "noon/1", "pages": 2, "items": 0, "new": 0, "changed": 0, "removed": 0, "elsewhere": 0,
                "failedPages": 1, "failedItems": 0, "failures": [{"page": 2, "reason": "server-error"}]})
        );
        for (last, reason, stopped) in [
            (None, Reason::ServerError, Stopped::Failing),
            (Some(1), Reason::ServerError, Stopped::Failing),
            (Some(9), Reason::RateLimited, Stopped::RateLimited),
        ] {
            let mut progress = SaleProgress { last, ..begun() };
            progress.page_failed(1, reason);
            assert_eq!((progress.next, progress.report.stopped), (None, Some(stopped)));
        }
        let mut progress = SaleProgress { last: Some(100), ..begun() };
        for number in 1..=5 {
            assert_eq!(progress.report.stopped, None);
            progress.page_failed(number, Reason::Timeout);
        }
        assert_eq!(progress.report.stopped, Some(Stopped::Failing));
    }

    #[test]
    fn a_list_without_end_is_left() {
        // To itself, back, and on with the same items.
        for (links, has_new) in [(next(2), true), (next(1), true), (next(3), false)] {
            let mut progress = begun();
            progress.page_read(2, links, has_new);
            assert_eq!(progress.report.stopped, Some(Stopped::Repeats));
        }
        // With a last page there is an end.
        let mut progress = begun();
        progress.page_read(2, PageLinks { last: Some(4), ..next(2) }, false);
        assert_eq!(progress.next, Some(NextPage { number: 3, url: None }));
        let mut progress = begun();
        progress.page_read(1, next(u32::MAX), true);
        assert_eq!(progress.report.stopped, Some(Stopped::TooManyPages));
        let mut progress = begun();
        for item in 0..=MOST_ITEMS {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&(item as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            progress.seen.insert(ItemId::of_digest(&digest));
        }
        progress.page_read(1, next(2), true);
        assert_eq!(progress.report.stopped, Some(Stopped::TooManyItems));
        assert!(json!(progress).to_string().len() < 130_000);
    }

    #[test]
    fn progress_survives_the_way_through_a_state_machine() {
        let mut progress = begun();
        assert!(progress.seen.insert(ItemId::of_digest(&[0xab; 32])));
        assert!(!progress.seen.insert(ItemId::of_digest(&[0xab; 32])));
        progress.page_read(1, PageLinks { last: Some(7), ..next(2) }, true);
        assert_eq!(json!(progress)["seen"], "abababababab");
        assert_eq!(serde_json::from_value::<SaleProgress>(json!(progress)).unwrap(), progress);
        assert!(serde_json::from_value::<SeenItems>(json!("zz")).is_err());
        assert_eq!((progress.seen.len(), progress.seen.is_empty()), (1, false));
    }

    #[test]
    fn a_report_describes_the_first_failures_and_counts_all() {
        let mut report = begun().report;
        for _ in 0..30 {
            report.count(
                1,
                &format!("https://shop.com/{}", "x".repeat(2000)),
                ItemOutcome::Failed(Reason::BadPrice),
            );
        }
        for recorded in [ItemOutcome::New, ItemOutcome::Changed, ItemOutcome::Unchanged] {
            report.count(1, "https://shop.com/tea", recorded);
        }
        assert_eq!((report.failed_items, report.failures.len()), (30, 10));
        assert_eq!((report.items, report.new, report.changed), (3, 1, 1));
        assert!(json!(report).to_string().len() < 3000);
    }
}
