//! Crawls of flash sales: the sessions of the source, and the items of a session.

use crate::{
    alerts::Alerts,
    client::{Client, Needs},
    context::Context,
    table::Table,
};
use crawl::{Crawler, Entry, Failure, PageAddress, SalePage};
use domain::{
    Error, Timestamp,
    alert::PriceChanged,
    flash_sale::{FlashSale, SaleItem, SkippedSession},
    observation::{ItemId, Observation, Reason},
    sale_progress::{ItemOutcome, SaleProgress, Stopped},
    watched_item::{Interest, WatchedItem},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

const SOURCE: &str = "FLASH_SALE_URL";

/// How long an execution begins work. It ends before the schedule starts the next one, 15 minutes later.
const EXECUTION_SECONDS: u64 = 12 * 60;

/// How long an invocation begins work. It ends within the function's timeout, which is longer by the time of a visit.
const BUDGET_SECONDS: u64 = 45;

/// The maximum number of items that are read and stored concurrently.
const CONCURRENCY: usize = 16;

/// The maximum number of attempts to change an item that others change at the same time.
const ATTEMPTS: usize = 4;

/// A session that is to be crawled, and how far its crawl has come: what the steps of the state machine pass on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleTask {
    /// The session.
    pub sale: FlashSale,
    /// No page is asked for after this time.
    pub until: Timestamp,
    /// How far it has come; `None` before the first page.
    pub progress: Option<SaleProgress>,
    /// Whether there is more to do.
    pub more: bool,
}

/// The report on reading the list of sessions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// When it was read.
    pub read_at: Timestamp,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Reason>,
    /// The number of sessions that can be crawled.
    pub listed: usize,
    /// The sessions that cannot.
    pub skipped: Vec<SkippedSession>,
}

/// The source's report, and the sessions that are on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedSales {
    /// The report on reading the list.
    pub source: SourceReport,
    /// The sessions that are on.
    pub sessions: Vec<SaleTask>,
}

/// The source of flash sales.
pub struct SaleSource {
    context: Context,
    table: Table,
    crawler: Crawler,
    /// The address of the list of sessions; `None` where there are no flash sales.
    url: Option<String>,
}

impl SaleSource {
    /// Reads the sessions, stores those that are new or changed, and deletes those that are listed no more. A source that
    /// cannot be read changes nothing.
    pub async fn list(&self) -> Result<ListedSales, Error> {
        let now = self.context.now();
        let mut source = SourceReport { read_at: now, failed: None, listed: 0, skipped: Vec::new() };
        let mut sales = Vec::new();
        match self.read(now).await {
            Ok(sessions) => {
                for session in sessions {
                    match session {
                        Ok(sale) => sales.push(sale),
                        Err(skipped) => source.skipped.push(skipped),
                    }
                }
                self.store(&sales, now).await?;
            }
            Err(failure) => source.failed = Some(failure.reason),
        }
        source.listed = sales.len();
        let until = now.plus_seconds(EXECUTION_SECONDS);
        let on = sales.into_iter().filter(|sale| sale.is_on(now));
        let sessions = on.map(|sale| SaleTask { sale, until, progress: None, more: true }).collect();
        Ok(ListedSales { source, sessions })
    }

    async fn read(&self, now: Timestamp) -> Result<Vec<Result<FlashSale, SkippedSession>>, Failure> {
        let Some(url) = &self.url else { return Ok(Vec::new()) };
        let source = PageAddress::parse(url, self.crawler.allowed()).map_err(|refused| refused.reason)?;
        self.crawler.sessions(&source, now).await
    }

    async fn store(&self, sales: &[FlashSale], now: Timestamp) -> Result<(), Error> {
        let stored = self.table.flash_sales().await?;
        for sale in sales.iter().filter(|sale| sale.ends_at > now) {
            if !stored.iter().any(|stored| stored.says_what(sale)) {
                self.table.put_flash_sale(sale).await?;
            }
        }
        let is_listed = |stored: &FlashSale| {
            sales.iter().any(|sale| (&sale.id, sale.starts_at) == (&stored.id, stored.starts_at))
        };
        for sale in stored.iter().filter(|stored| !is_listed(stored)) {
            self.table.delete_flash_sale(sale, now).await?;
        }
        Ok(())
    }
}

impl Client for SaleSource {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "CRAWL_ALLOW", "CRAWL_USER_AGENT", SOURCE],
        operations: &["delete_flash_sale", "flash_sales", "put_flash_sale"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            table: context.table()?,
            crawler: Client::new(context)?,
            url: context.settings().optional(SOURCE),
            context: context.clone(),
        })
    }
}

/// Crawls the items of a session.
pub struct SaleCrawl {
    context: Context,
    table: Table,
    alerts: Alerts,
    crawler: Crawler,
}

/// An item of a list that was not seen before.
struct ListedItem {
    id: ItemId,
    address: PageAddress,
    observation: Option<Result<Observation, Reason>>,
}

/// A page that is being recorded.
struct Reading<'a> {
    sale: &'a FlashSale,
    /// The stored items of the session.
    known: &'a HashMap<ItemId, SaleItem>,
    number: u32,
    read_at: Timestamp,
    /// No item is begun after this time.
    end: Timestamp,
}

impl SaleCrawl {
    /// Goes on with the crawl of a session for as long as one invocation may take. What it wrote before a failure is found
    /// again by the next attempt, so that a task may be done twice, also at the same time.
    pub async fn crawl(&self, task: SaleTask) -> Result<SaleTask, Error> {
        let SaleTask { sale, until, progress, .. } = task;
        let began_at = self.context.now();
        let end = until.min(began_at.plus_seconds(BUDGET_SECONDS));
        let session = PageAddress::parse(&sale.url, self.crawler.allowed());
        let session =
            session.map_err(|refused| Error::internal(format!("{}: {}", sale.url, refused.reason)))?;
        let known = self.table.all_sale_items(&sale.id).await?;
        let mut progress = progress.unwrap_or_else(|| SaleProgress::begin(sale.id.clone(), began_at));
        while let Some(next) = progress.next.clone() {
            let read_at = self.context.now();
            if read_at >= end {
                break;
            }
            match self.crawler.sale_page(&session, &next).await {
                Ok(page) => {
                    let reading = Reading { sale: &sale, known: &known, number: next.number, read_at, end };
                    if !self.record_page(&reading, page, &mut progress).await? {
                        break;
                    }
                }
                Err(failure) => progress.page_failed(next.number, failure.reason),
            }
        }
        if progress.next.is_some() && self.context.now() >= until {
            progress.stop(Stopped::Time);
        }
        if progress.is_complete() {
            progress.report.removed = self.remove_unseen(&sale, &known, &progress).await?;
        }
        Ok(SaleTask { more: progress.next.is_some(), sale, until, progress: Some(progress) })
    }

    /// Records the items of a page. False if the time was over before the last of them: the page is then read again, and the
    /// items that were seen are passed over.
    async fn record_page(
        &self,
        reading: &Reading<'_>,
        page: SalePage,
        progress: &mut SaleProgress,
    ) -> Result<bool, Error> {
        let (mut items, mut unreadable, mut elsewhere, mut on_page) = (vec![], vec![], 0, HashSet::new());
        for entry in page.entries {
            match entry {
                Entry::Elsewhere => elsewhere += 1,
                Entry::Unreadable(reason) => unreadable.push(reason),
                Entry::Item(address, observation) => {
                    let id = address.item_id();
                    if on_page.insert(id) && !progress.seen.contains(id) {
                        items.push(ListedItem { id, address, observation });
                    }
                }
            }
        }
        let has_new = !items.is_empty() || on_page.is_empty();
        let (mut is_whole, mut is_limited) = (true, false);
        let record = async |item: ListedItem| {
            let recorded = if self.context.now() < reading.end {
                Some(self.record(reading, &item).await?)
            } else {
                None
            };
            Ok::<_, Error>((item, recorded))
        };
        let mut recorded = stream::iter(items).map(record).buffer_unordered(CONCURRENCY);
        while let Some((item, recorded)) = recorded.try_next().await? {
            let Some(recorded) = recorded else {
                is_whole = false;
                continue;
            };
            is_limited |= recorded == ItemOutcome::Failed(Reason::RateLimited);
            progress.seen.insert(item.id);
            progress.report.count(reading.number, item.address.as_str(), recorded);
        }
        if is_limited {
            progress.stop(Stopped::RateLimited);
        } else if is_whole {
            progress.report.elsewhere += elsewhere;
            for reason in unreadable {
                progress.report.count(reading.number, "", ItemOutcome::Failed(reason));
            }
            progress.page_read(reading.number, page.links, has_new);
        }
        Ok(is_whole)
    }

    /// Records an item: first as a watched item, then in its session, so that one which is known in its session has its
    /// price in its history.
    async fn record(&self, reading: &Reading<'_>, item: &ListedItem) -> Result<ItemOutcome, Error> {
        let (read_at, observation) = if let Some(listed) = &item.observation {
            (reading.read_at, listed.clone())
        } else {
            let read_at = self.context.now();
            let page = self.crawler.sale_item(&item.address).await;
            (read_at, page.map_err(|failure| failure.reason))
        };
        let observation = match observation {
            Ok(observation) => observation,
            Err(reason) => return Ok(ItemOutcome::Failed(reason)),
        };
        let known = reading.known.get(&item.id);
        if known.is_some_and(|known| known.is_known(&observation, reading.sale)) {
            return Ok(ItemOutcome::Unchanged);
        }
        let address = (item.address.to_string(), item.address.host());
        let watched = WatchedItem::in_sale(item.id, address, observation.clone(), read_at);
        self.observe(&watched, &observation, known.is_none()).await?;
        let sold = SaleItem {
            item_id: item.id,
            url: watched.url,
            observation,
            read_at,
            expires_at: reading.sale.expires_at(),
        };
        let recorded = match known {
            None => ItemOutcome::New,
            Some(known) if known.observation == sold.observation => ItemOutcome::Unchanged,
            Some(_) => ItemOutcome::Changed,
        };
        self.table.put_sale_item(&reading.sale.id, &sold).await?;
        Ok(recorded)
    }

    /// Records what a list says of an item, as a look at its page does. Every change of an item by a list passes through here.
    /// An item that is in no session yet is mostly new.
    async fn observe(&self, item: &WatchedItem, listed: &Observation, is_new: bool) -> Result<(), Error> {
        let known = if is_new { None } else { Some(self.table.watched_item(item.item_id).await) };
        let mut stored = match known {
            None | Some(Err(Error::NotFound { .. })) => self.table.create_watched_item(item).await?,
            Some(known) => known?,
        };
        for _ in 0..ATTEMPTS {
            let Some(next) = stored.after_list(listed, item.since) else { return Ok(()) };
            // As a look does, before it is stored. Nobody has alerts for an item that nobody watches; if somebody begins to
            // watch it now, the item has another revision.
            if stored.interest != Interest::Unwatched
                && let Some(change) = PriceChanged::between(&stored, &next)
            {
                self.alerts.send(&change).await?;
            }
            if self.table.replace_watched_item(&stored, &next).await? {
                return Ok(());
            }
            stored = self.table.watched_item(item.item_id).await?;
        }
        Err(Error::unavailable(format!("item {} is changed by others", item.item_id)))
    }

    /// Deletes the items that the session does not have any more. Those that a later crawl has stored stay.
    async fn remove_unseen(
        &self,
        sale: &FlashSale,
        known: &HashMap<ItemId, SaleItem>,
        progress: &SaleProgress,
    ) -> Result<u32, Error> {
        let unseen: Vec<ItemId> = known.keys().copied().filter(|id| !progress.seen.contains(*id)).collect();
        let removed = stream::iter(unseen)
            .map(|id| self.table.delete_sale_item(&sale.id, id, progress.began_at))
            .buffer_unordered(CONCURRENCY);
        removed.try_fold(0, async |count, is_gone| Ok(count + u32::from(is_gone))).await
    }
}

impl Client for SaleCrawl {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "ALERT_QUEUE_URL", "CRAWL_ALLOW", "CRAWL_USER_AGENT"],
        operations: &[
            "all_sale_items",
            "create_watched_item",
            "delete_sale_item",
            "put_sale_item",
            "replace_watched_item",
            "watched_item",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            table: context.table()?,
            alerts: Alerts::new(context)?,
            crawler: Client::new(context)?,
            context: context.clone(),
        })
    }
}
