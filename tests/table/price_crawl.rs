//! price-crawl and shard-crawl: what they ask of shops, what they store, and where they go on.

use crate::{
    application::{Lines, context_at},
    shop::Shop,
};
use app::{crawl_log::CrawlCounts, looks::Looks, price_crawl::CrawlTask};
use domain::{
    Error, Timestamp,
    observation::{ItemId, Reason},
    page::PageSize,
    watched_item::{Interest, Slot, WatchedItem, shard_of},
};
use serde_json::{Value, json};
use table::{Watch, keys};
use tests::{
    Fault, World,
    samples::{later, now, user_id},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/price-crawl/src/main.rs"]
mod schedule;

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/shard-crawl/src/main.rs"]
mod worker;

const HOUR: u64 = 60 * 60;

/// A shop, and a table whose items are pages of it.
struct Watching {
    world: World,
    shop: Shop,
    lines: Lines,
}

impl Watching {
    async fn new() -> Self {
        Self { world: World::new(), shop: Shop::open().await, lines: Lines::default() }
    }

    fn context(&self, seconds: u64) -> app::Context {
        let allowed = self.shop.host();
        let settings = [
            ("CRAWL_ALLOW", allowed.as_str()),
            ("CRAWL_USER_AGENT", "SoukPriceWatch/1 (+https://souk.example/crawler)"),
            ("CRAWL_QUEUE_URL", "https://sqs.test.example/crawls.fifo"),
            ("ALERT_QUEUE_URL", "https://sqs.test.example/alerts"),
        ];
        context_at(&self.world, &settings, later(seconds), &self.lines)
    }

    /// A user begins to watch a page, as watch-create does it.
    async fn watch(&self, user: u32, path: &str, seconds: u64) -> Result<WatchedItem, Reason> {
        let looks = <Looks as app::Client>::new(&self.context(seconds)).unwrap();
        let address = looks.address(&self.shop.url(path)).unwrap();
        let (item_id, found) = looks.open(address, later(seconds)).await.unwrap()?;
        let watch = Watch::new(item_id, Vec::new(), later(seconds));
        self.world.table.create_watch(user_id(user), &watch).await.unwrap();
        Ok(looks.keep(item_id, found, later(seconds)).await.unwrap())
    }

    async fn crawl_all(&self, seconds: u64) -> Result<CrawlCounts, Error> {
        let app = schedule::App::new(self.context(seconds)).unwrap();
        schedule::crawl(&app, serde_json::from_value(json!({"all": true})).unwrap()).await
    }

    /// Works the message for the shop's shard, as it is queued at this time.
    async fn crawl_due(&self, seconds: u64) -> Result<CrawlCounts, Error> {
        let app = worker::App::new(self.context(seconds)).unwrap();
        let task = CrawlTask::due(shard_of(&self.shop.host()), later(seconds));
        worker::crawl(&app, task).await?;
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let line: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        Ok(serde_json::from_value(line["crawl"].clone()).unwrap())
    }

    async fn item(&self, id: ItemId) -> WatchedItem {
        self.world.table.watched_item(id).await.unwrap()
    }

    /// The amounts of an item's prices, newest first, without the one that it has now.
    async fn past(&self, id: ItemId) -> Vec<i64> {
        let history = self.world.table.price_history(id, PageSize::DEFAULT, None).await.unwrap();
        history.past.items.iter().filter_map(|past| Some(past.price?.amount)).collect()
    }

    fn sent(&self, operation: &str) -> usize {
        self.world.wire.take_sent().iter().filter(|sent| sent.operation == operation).count()
    }
}

/// A time, at or after this one, at which the item is due.
fn due_after(item: &WatchedItem, seconds: u64) -> u64 {
    let slot = Slot::of(item.item_id, item.pace);
    let is_due = |at: &u64| Slot::due(later(*at)).contains(&slot);
    (0..100).map(|tick| seconds + tick * 900).find(is_due).unwrap()
}

fn amount(item: &WatchedItem) -> i64 {
    item.observation.as_ref().unwrap().price.unwrap().amount
}

#[tokio::test]
async fn a_change_is_found_and_a_page_that_has_not_changed_costs_no_write() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let first = watching.watch(1, "/item/a?utm_source=x#top", 0).await.unwrap();
    assert_eq!((amount(&first), first.url.as_str()), (1290, watching.shop.url("/item/a").as_str()));

    watching.world.wire.take_sent();
    assert_eq!(watching.crawl_all(HOUR).await.unwrap(), CrawlCounts { checked: 1, ..CrawlCounts::default() });
    // The record of the run, one for each shard; nothing for the item.
    let mut sent: Vec<String> =
        watching.world.wire.take_sent().into_iter().map(|sent| sent.operation).collect();
    sent.sort();
    sent.dedup_by(|one, other| one == other && one == "Query");
    assert_eq!(sent, [vec!["BatchWriteItem"; 16], vec!["GetItem", "Query"]].concat());
    assert_eq!(watching.shop.answered("/item/a", 304), 1);

    watching.shop.put("/item/a", "9.90");
    let counts = watching.crawl_all(2 * HOUR).await.unwrap();
    assert_eq!(counts, CrawlCounts { checked: 1, changed: 1, ..CrawlCounts::default() });
    let item = watching.item(first.item_id).await;
    assert_eq!((amount(&item), item.since), (990, later(2 * HOUR)));
    assert_eq!(watching.past(first.item_id).await, [1290]);
    let line: Value = serde_json::from_str(watching.lines.lock().unwrap().last().unwrap()).unwrap();
    assert_eq!((&line["PagesChecked"], &line["PagesChanged"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn the_schedule_queues_each_shard_and_an_item_is_looked_at_when_it_is_due() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let item = watching.watch(1, "/item/a", 0).await.unwrap();
    watching.world.wire.take_sent();
    let app = schedule::App::new(watching.context(7)).unwrap();
    let counts =
        schedule::crawl(&app, serde_json::from_value(json!({"source": "aws.events"})).unwrap()).await;
    assert_eq!(counts.unwrap().queued, 16);
    let sent = watching.world.wire.take_sent();
    let bodies: Vec<Value> = sent
        .iter()
        .map(|sent| serde_json::from_str(sent.body["MessageBody"].as_str().unwrap()).unwrap())
        .collect();
    for (sent, body) in sent.iter().zip(&bodies) {
        assert_eq!(sent.body["MessageGroupId"], body["shard"]);
        assert_eq!(body["lists"].as_array().unwrap().len(), 4);
        // The same in the whole tick, so that the queue drops a second one.
        let began_at: Timestamp = body["beganAt"].as_str().unwrap().parse().unwrap();
        assert_eq!(began_at.unix_milliseconds() % 900_000, 0);
    }
    watching.shop.put("/item/a", "9.90");
    let due = due_after(&item, 900);
    for seconds in (900..due).step_by(900) {
        assert_eq!(watching.crawl_due(seconds).await.unwrap().checked, 0, "{seconds}");
    }
    assert_eq!(watching.crawl_due(due).await.unwrap().changed, 1);
    let looks = watching.world.table.last_looks(&[item]).await.unwrap();
    assert_eq!(looks.into_values().collect::<Vec<_>>(), [later(due)]);
}

#[tokio::test]
async fn a_failure_is_written_when_it_begins_and_ends_and_its_host_is_left_alone() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let item = watching.watch(1, "/item/a", 0).await.unwrap();
    watching.shop.fail("/item/a", 503, None);
    let due = due_after(&item, 900);
    assert_eq!(watching.crawl_due(due).await.unwrap().failed, 1);
    let failed = watching.item(item.item_id).await;
    assert_eq!(
        failed.failed.map(|failed| (failed.reason, failed.at)),
        Some((Reason::ServerError, later(due)))
    );
    assert_eq!((failed.since, amount(&failed)), (item.since, 1290));

    // The host is not asked for a minute, unless a person insists; the failure is not written again.
    assert_eq!(watching.crawl_due(due + 59).await.unwrap().left, 1);
    watching.world.wire.take_sent();
    assert_eq!(watching.crawl_all(due + 59).await.unwrap().failed, 1);
    assert_eq!(watching.item(item.item_id).await, failed);

    watching.shop.heal("/item/a");
    let due = due_after(&failed, due + 900);
    let counts = watching.crawl_due(due).await.unwrap();
    assert_eq!((counts.checked, counts.failed, counts.changed), (1, 0, 0));
    assert_eq!(watching.item(item.item_id).await.failed, None);
    assert_eq!(watching.world.item(&keys::host(&watching.shop.host())), json!(null));
}

#[tokio::test]
async fn a_host_that_asks_to_be_left_alone_is_not_asked_by_anybody() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    watching.shop.put("/item/b", "5.00");
    watching.watch(1, "/item/a", 0).await.unwrap();
    watching.shop.fail("/item/a", 429, Some("600"));
    assert_eq!(watching.crawl_all(HOUR).await.unwrap().failed, 1);
    let asked = watching.shop.requests();
    // Another invocation, and another user with another page of the host: 201 with a check that failed.
    assert_eq!(watching.crawl_all(HOUR + 599).await.unwrap().left, 1);
    let later_on = watching.watch(2, "/item/b", HOUR + 599).await.unwrap();
    assert_eq!(later_on.failed.unwrap().reason, Reason::RateLimited);
    assert_eq!(watching.shop.requests(), asked);

    watching.shop.heal("/item/a");
    let counts = watching.crawl_all(HOUR + 600).await.unwrap();
    assert_eq!((counts.checked, counts.failed, counts.left), (2, 0, 0));
    assert_eq!(amount(&watching.item(later_on.item_id).await), 500);
}

#[tokio::test]
async fn one_page_that_fails_does_not_keep_the_others_of_its_host_from_being_looked_at() {
    let watching = Watching::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        watching.shop.put(&format!("/item/{name}"), "1.00");
        watching.watch(1, &format!("/item/{name}"), 0).await.unwrap();
    }
    watching.shop.fail("/item/c", 500, None);
    let counts = watching.crawl_all(HOUR).await.unwrap();
    assert_eq!((counts.checked, counts.failed), (5, 1));
}

#[tokio::test]
async fn two_crawls_at_once_show_a_change_once() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let item = watching.watch(1, "/item/a", 0).await.unwrap();
    watching.shop.put("/item/a", "9.90");
    let (one, other) = futures::join!(watching.crawl_all(HOUR), watching.crawl_all(HOUR + 1));
    assert_eq!(one.unwrap().changed + other.unwrap().changed, 1);
    assert_eq!(watching.past(item.item_id).await, [1290]);
    assert_eq!(watching.item(item.item_id).await.revision, 2);
}

#[tokio::test]
async fn a_crawl_that_dies_anywhere_shows_nothing_twice() {
    // Each write in turn is the one after which nothing more happens, before and after it is carried out.
    for (skip, fault) in (0..4).flat_map(|skip| [(skip, Fault::Refused("Gone")), (skip, Fault::AnswerLost)]) {
        let watching = Watching::new().await;
        watching.shop.put("/item/a", "12.90");
        let item = watching.watch(1, "/item/a", 0).await.unwrap();
        watching.shop.put("/item/a", "9.90");
        let pass = Fault::Altered(std::sync::Arc::new(|_| {}));
        let faults = std::iter::repeat_n(pass, skip).chain(std::iter::repeat_n(fault, 8));
        watching.world.wire.next("PutItem", faults);
        // The result is that of the process that died.
        let _ = watching.crawl_all(HOUR).await;
        watching.world.wire.heal();
        let shown = watching.past(item.item_id).await;
        let now = amount(&watching.item(item.item_id).await);
        assert!(shown.is_empty() && now == 1290 || shown == [1290] && now == 990, "{skip}: {shown:?} {now}");
        watching.crawl_all(2 * HOUR).await.unwrap();
        assert_eq!(watching.past(item.item_id).await, [1290], "{skip}");
        assert_eq!(amount(&watching.item(item.item_id).await), 990, "{skip}");
    }
}

#[tokio::test]
async fn an_item_that_nobody_watches_is_not_looked_at_until_somebody_does_again() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let item = watching.watch(1, "/item/a", 0).await.unwrap();
    watching.watch(2, "/item/a", 1).await.unwrap();
    for (user, unwatched) in [(1, 0), (2, 1)] {
        watching.world.table.delete_watch(user_id(user), item.item_id).await.unwrap();
        let counts = watching.crawl_all(HOUR).await.unwrap();
        assert_eq!((counts.checked, counts.unwatched), (1 - unwatched, unwatched));
    }
    let asked = watching.shop.requests();
    assert_eq!(watching.crawl_all(2 * HOUR).await.unwrap(), CrawlCounts::default());
    assert_eq!(watching.shop.requests(), asked);
    assert_eq!(watching.item(item.item_id).await.interest, Interest::Unwatched);

    watching.shop.put("/item/a", "9.90");
    let again = watching.watch(1, "/item/a", 3 * HOUR).await.unwrap();
    assert_eq!((again.interest, amount(&again)), (Interest::Watched, 990));
    assert_eq!(watching.past(item.item_id).await, [1290]);
    assert_eq!(watching.crawl_all(4 * HOUR).await.unwrap().checked, 1);
}

#[tokio::test]
async fn of_a_crawl_that_finds_nobody_and_a_new_watch_one_sees_the_other() {
    // The crawl reads the item as doubtful and finds no watcher; then somebody begins to watch; then the crawl goes on.
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let item = watching.watch(1, "/item/a", 0).await.unwrap();
    watching.world.table.delete_watch(user_id(1), item.item_id).await.unwrap();
    let doubtful = watching.item(item.item_id).await;
    assert_eq!(watching.world.table.has_watchers(item.item_id).await, Ok(false));
    watching.watch(2, "/item/a", 60).await.unwrap();
    let unwatched = doubtful.with_interest(Interest::Unwatched).unwrap();
    assert_eq!(watching.world.table.replace_watched_item(&doubtful, &unwatched).await, Ok(false));
    assert_eq!(watching.crawl_all(HOUR).await.unwrap().checked, 1);
}

#[tokio::test]
async fn an_error_of_one_look_does_not_keep_the_crawl_from_the_others() {
    let watching = Watching::new().await;
    for name in ["a", "b"] {
        watching.shop.put(&format!("/item/{name}"), "2.00");
        watching.watch(1, &format!("/item/{name}"), 0).await.unwrap();
        watching.shop.put(&format!("/item/{name}"), "1.00");
    }
    watching.world.wire.next("PutItem", [Fault::Refused("Gone")]);
    assert!(watching.crawl_all(HOUR).await.is_err());
    assert_eq!(watching.crawl_all(2 * HOUR).await.unwrap().changed, 1);
}

#[tokio::test]
async fn the_rest_of_a_host_with_many_items_is_a_task_of_its_own() {
    let watching = Watching::new().await;
    watching.shop.put("/item/a", "12.90");
    let model = watching.watch(1, "/item/a", 0).await.unwrap();
    let due = due_after(&model, 900);
    // Pages that are gone: each is one request.
    for number in 1..=130_u8 {
        let mut digest = [number; 32];
        digest[..2].copy_from_slice(&model.item_id.as_bytes()[..2]);
        let address = (watching.shop.url(&format!("/gone/{number}")), watching.shop.host());
        let item = WatchedItem::new(ItemId::of_digest(&digest), address, Err(Reason::Gone), now());
        watching.world.table.create_watched_item(&item).await.unwrap();
    }
    let address = watching.shop.host();
    watching.shop.refuse_crawlers();
    watching.world.wire.take_sent();
    let counts = watching.crawl_due(due).await.unwrap();
    assert_eq!((counts.checked, counts.queued), (100, 1));
    let message =
        watching.world.wire.take_sent().into_iter().find(|sent| sent.operation == "SendMessage").unwrap();
    let rest: Value = serde_json::from_str(message.body["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!((&rest["hostAlone"], &rest["after"]["host"]), (&json!(true), &json!(address)));
    let app = worker::App::new(watching.context(due)).unwrap();
    worker::crawl(&app, serde_json::from_value(rest).unwrap()).await.unwrap();
    let line: Value = serde_json::from_str(watching.lines.lock().unwrap().last().unwrap()).unwrap();
    assert_eq!((&line["crawl"]["checked"], &line["crawl"]["queued"]), (&json!(31), &json!(0)));
    assert_eq!(watching.sent("SendMessage"), 0);
}
