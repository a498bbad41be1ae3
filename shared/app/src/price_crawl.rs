//! The crawl: looks at the watched items that are due, shard by shard, and goes on where it stopped.

use crate::{
    client::{Client, Needs},
    context::Context,
    crawl_hosts::Hosts,
    crawl_log::{CrawlCounts, Look},
    looks::{Found, Looks},
    queue::Queue,
    table::Table,
};
use crawl::Visit;
use domain::{
    Error, Timestamp,
    watched_item::{DueList, Interest, SHARDS, TICK_SECONDS, WatchedItem},
};
use futures::{StreamExt, future::try_join_all, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use table::DuePosition;

const QUEUE: &str = "CRAWL_QUEUE_URL";

/// How long a crawl begins looks. A look takes ten seconds, and seven more at the pace of one host.
const BUDGET_SECONDS: u64 = 75;

/// The maximum number of looks of a shard at once; of one host there are fewer. A page has up to 4 MiB.
const CONCURRENCY: usize = 64;

/// The same in a crawl of all shards at once, which shares the memory of one function.
const CONCURRENCY_OF_ALL: usize = 8;

/// Lists of due items of one shard. It is a message of the queue, which gives those of one shard out one after the other, so
/// that one worker keeps to the limits of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrawlTask {
    /// The shard.
    shard: char,
    /// The lists that are left.
    lists: Vec<DueList>,
    /// Where the first of them goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<DuePosition>,
    /// Whether it is about the position's host alone, of which there are many items.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    host_alone: bool,
    /// Whether hosts that failed are asked too, unless they asked to be left alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    insist: bool,
    /// When the crawl began. Two messages of a crawl differ, and one that is sent twice is delivered once.
    began_at: Timestamp,
}

impl CrawlTask {
    /// The items of a shard that are due at this time.
    pub fn due(shard: char, now: Timestamp) -> Self {
        let lists = DueList::of_shard(shard, Some(now)).to_vec();
        Self { shard, lists, after: None, host_alone: false, insist: false, began_at: now }
    }

    /// All items of a shard.
    pub fn all(shard: char, now: Timestamp) -> Self {
        let lists = DueList::of_shard(shard, None).to_vec();
        Self { lists, insist: true, ..Self::due(shard, now) }
    }
}

/// The items, and the queue of what is left of a crawl.
pub struct PriceCrawl {
    context: Context,
    table: Table,
    looks: Looks,
    queue: Queue,
}

impl PriceCrawl {
    /// Queues the items that are due, by shard. The queue drops what was queued in the last five minutes.
    pub async fn queue_due(&self) -> Result<CrawlCounts, Error> {
        let ticks = self.context.now().unix_seconds() / TICK_SECONDS;
        let tick = Timestamp::from_unix_milliseconds(ticks * TICK_SECONDS * 1000);
        let tasks: Vec<CrawlTask> = SHARDS.chars().map(|shard| CrawlTask::due(shard, tick)).collect();
        try_join_all(tasks.iter().map(|task| self.queue(task))).await?;
        Ok(CrawlCounts { queued: tasks.len(), ..CrawlCounts::default() })
    }

    /// Looks at all items, and queues those for which the time does not suffice.
    pub async fn crawl_all(&self) -> Result<CrawlCounts, Error> {
        let now = self.context.now();
        let crawls = SHARDS.chars().map(|shard| self.crawl(CrawlTask::all(shard, now)));
        let mut crawls = crawls.collect::<FuturesUnordered<_>>();
        let (mut counts, mut failure) = (CrawlCounts::default(), None);
        while let Some(crawled) = crawls.next().await {
            match crawled {
                Ok(crawled) => counts += crawled,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        self.context.report_crawl(&counts, now);
        failure.map_or(Ok(counts), Err)
    }

    /// Works a message of the queue.
    pub async fn crawl_shard(&self, task: CrawlTask) -> Result<(), Error> {
        let now = self.context.now();
        let counts = self.crawl(task).await?;
        self.context.report_crawl(&counts, now);
        Ok(())
    }

    /// Looks at the items of a task. What is left when the time is over is queued; an error of one look does not keep it from
    /// the others. A task that is carried out twice looks twice, and changes nothing twice.
    async fn crawl(&self, task: CrawlTask) -> Result<CrawlCounts, Error> {
        let now = self.context.now();
        let end = now.plus_seconds(BUDGET_SECONDS);
        let (insist, hosts) = (task.insist, Hosts::default());
        let concurrency = if insist { CONCURRENCY_OF_ALL } else { CONCURRENCY };
        let (mut walk, mut looks) = (Walk::of(task), FuturesUnordered::new());
        let (mut counts, mut failure) = (CrawlCounts::default(), None);
        loop {
            while looks.len() < concurrency
                && self.context.now() < end
                && let Some(item) = walk.next_item(&self.table).await?
            {
                looks.push(self.look(item, &hosts, insist));
            }
            match looks.next().await {
                Some(Ok(look)) => counts.count(look),
                Some(Err(error)) => failure = failure.or(Some(error)),
                None => break,
            }
        }
        hosts.store(&self.table).await?;
        self.table.record_looks(&walk.done, now).await?;
        let left = walk.left();
        try_join_all(left.iter().map(|task| self.queue(task))).await?;
        counts.queued = left.len();
        failure.map_or(Ok(counts), Err)
    }

    /// Looks at an item, unless nobody watches it or its host is to be left alone.
    async fn look(&self, item: WatchedItem, hosts: &Hosts, insist: bool) -> Result<Look, Error> {
        if item.interest == Interest::Doubtful && !self.table.has_watchers(item.item_id).await? {
            if let Some(next) = item.with_interest(Interest::Unwatched) {
                self.table.replace_watched_item(&item, &next).await?;
            }
            return Ok(Look::Unwatched);
        }
        if !hosts.may_ask(&self.table, &item.host, insist, self.context.now()).await? {
            return Ok(Look::Left);
        }
        let Some(found) = self.found(&item, hosts).await? else { return Ok(Look::Left) };
        let is_failure = found.is_err();
        let stored = self.looks.store(&item, found, Interest::Watched, self.context.now()).await?;
        Ok(match stored {
            _ if is_failure => Look::Failed,
            Some(next) if next.since != item.since => Look::Changed,
            _ => Look::Unchanged,
        })
    }

    /// What the item's page says; `None` if its host could not be asked at the pace that it wants.
    async fn found(&self, item: &WatchedItem, hosts: &Hosts) -> Result<Option<Found>, Error> {
        // The rules for addresses may have become stricter since the item was stored.
        let address = match self.looks.address(&item.url) {
            Ok(address) => address,
            Err(refused) => return Ok(Some(Err(refused.reason))),
        };
        let visit = self.looks.visit(&address, &item.validators).await;
        hosts.note(&self.table, &item.host, &visit, self.context.now()).await?;
        Ok(match visit {
            Ok(Visit::NotModified) => Some(Ok(None)),
            Ok(Visit::Read { observation, validators, .. }) => Some(Ok(Some((observation, validators)))),
            Err(failure) if failure.is_own_pace => None,
            Err(failure) => Some(Err(failure.reason)),
        })
    }

    async fn queue(&self, task: &CrawlTask) -> Result<(), Error> {
        self.queue.send_in_group(task, &task.shard.to_string()).await
    }
}

impl Client for PriceCrawl {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "ALERT_QUEUE_URL", "CRAWL_ALLOW", "CRAWL_USER_AGENT", QUEUE],
        operations: &[
            "back_off",
            "due_items",
            "has_watchers",
            "record_looks",
            "replace_watched_item",
            "set_back_off",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            table: context.table()?,
            looks: Looks::new(context)?,
            queue: Queue::new(context.sdk(), context.settings().required(QUEUE)?),
            context: context.clone(),
        })
    }
}

/// A walk through the lists of a task.
struct Walk {
    task: CrawlTask,
    lists: VecDeque<DueList>,
    /// The position of the last item that was taken.
    after: Option<DuePosition>,
    /// Items that were read and not taken yet.
    page: VecDeque<WatchedItem>,
    /// How it goes on after these items.
    then: Then,
    /// The lists that are finished.
    done: Vec<DueList>,
    /// Tasks for hosts with many items.
    hosts: Vec<CrawlTask>,
}

/// How a walk goes on after a page.
enum Then {
    /// With the next page of the same list.
    On,
    /// The page was the last of its list.
    NextList,
    /// The rest of the page's host is another task.
    NextHost(DuePosition),
}

impl Walk {
    fn of(task: CrawlTask) -> Self {
        let (lists, after) = (task.lists.clone().into(), task.after.clone());
        Self {
            task,
            lists,
            after,
            page: VecDeque::new(),
            then: Then::On,
            done: Vec::new(),
            hosts: Vec::new(),
        }
    }

    /// The next item; `None` at the end.
    async fn next_item(&mut self, table: &Table) -> Result<Option<WatchedItem>, Error> {
        loop {
            if let Some(item) = self.page.pop_front() {
                self.after = Some(DuePosition::of(&item));
                return Ok(Some(item));
            }
            match std::mem::replace(&mut self.then, Then::On) {
                Then::On => {}
                Then::NextList => self.end_list(),
                Then::NextHost(position) => self.leave_host(position),
            }
            let Some(list) = self.lists.front() else { return Ok(None) };
            let page = table.due_items(*list, self.after.as_ref(), self.task.host_alone).await?;
            let is_one_host = page.items.windows(2).all(|pair| pair[0].host == pair[1].host);
            self.then = match page.next {
                None => Then::NextList,
                // Other hosts are not kept waiting for one with many items, of which ten are looked at in a second.
                Some(position) if is_one_host && !self.task.insist => Then::NextHost(position),
                Some(_) => Then::On,
            };
            self.page = page.items.into();
        }
    }

    fn end_list(&mut self) {
        let ended = self.lists.pop_front();
        self.done.extend(ended.filter(|_| !self.task.host_alone));
        self.after = None;
    }

    /// Goes on after the host, and leaves the rest of its items to a task of its own.
    fn leave_host(&mut self, position: DuePosition) {
        let lists = self.lists.front().copied().into_iter().collect();
        let rest = CrawlTask { lists, after: Some(position.clone()), host_alone: true, ..self.task.clone() };
        self.hosts.push(rest);
        if self.task.host_alone {
            self.lists.clear();
        }
        self.after = Some(position.after_host());
    }

    /// What is left of the task.
    fn left(self) -> Vec<CrawlTask> {
        let Self { task, lists, after, mut hosts, .. } = self;
        if !lists.is_empty() {
            hosts.push(CrawlTask { lists: lists.into(), after, ..task });
        }
        hosts
    }
}
