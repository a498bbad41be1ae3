//! Crawls of flash sales from a source on the loopback interface.

use crate::{is_unavailable, sale_source::Source};
use app::{
    Client, Context,
    context::Host,
    flash_sales::{SaleCrawl, SaleSource, SaleTask},
    settings::Settings,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use domain::{
    Error, Timestamp,
    observation::{ItemId, Reason},
    page::PageSize,
    sale_progress::{SaleReport, Stopped},
    watched_item::Interest,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tests::{
    Fault, TABLE_NAME, World, config,
    samples::{later, now},
};

const SESSIONS: &str = "/sale";
const ITEMS: &str = "/sale/noon";

/// A clock that goes on by `step` milliseconds each time that it is read.
struct Clock {
    now: AtomicU64,
    step: u64,
}

impl Host for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_milliseconds(self.now.fetch_add(self.step, Ordering::Relaxed))
    }

    fn fill_random(&self, _bytes: &mut [u8]) -> Result<(), Error> {
        Err(Error::internal("a crawl needs no random numbers"))
    }
}

fn context(world: &World, source: &Source, at: Timestamp, step: u64) -> Context {
    let settings = [
        ("TABLE_NAME", TABLE_NAME.to_owned()),
        ("ALERT_QUEUE_URL", "https://sqs.test.example/alerts".to_owned()),
        ("CRAWL_ALLOW", source.host()),
        ("CRAWL_USER_AGENT", "SoukPriceWatch/1 (+https://souk.example/crawler)".to_owned()),
        ("FLASH_SALE_URL", source.url(SESSIONS)),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let sdk = config(SharedHttpClient::new(world.wire.clone()), "https://aws.test.example");
    let clock = Clock { now: AtomicU64::new(at.unix_milliseconds()), step };
    Context::new(Settings::These(settings), sdk, Arc::new(clock))
}

fn event(id: &str, starts_at: Timestamp, ends_at: Timestamp) -> Value {
    json!({"@type": "ListItem", "item": {
        "@type": "SaleEvent", "identifier": id, "name": format!("Sale {id}"), "url": format!("/sale/{id}"),
        "startDate": starts_at, "endDate": ends_at,
    }})
}

fn product(number: u32, price: &str) -> Value {
    json!({"@type": "ListItem", "item": {
        "@type": "Product", "url": format!("/item/{number}"), "name": format!("Flash item {number}"),
        "offers": {"@type": "Offer", "price": price, "priceCurrency": "SGD", "availability": "https://schema.org/InStock"},
    }})
}

/// A source with one session that is on, whose pages have these prices; items are numbered from 1 on.
async fn source(pages: &[&[&str]]) -> Source {
    let source = Source::start().await;
    source.list(SESSIONS, &[event("noon", now(), later(3600))], "");
    put_pages(&source, pages);
    source
}

fn put_pages(source: &Source, pages: &[&[&str]]) {
    let (mut number, last) = (0, pages.len());
    for (page, prices) in (1..).zip(pages) {
        let entries: Vec<Value> = prices
            .iter()
            .map(|price| {
                number += 1;
                product(number, price)
            })
            .collect();
        let next = if page < last { format!("<?page={}>; rel=\"next\", ", page + 1) } else { String::new() };
        source.list(
            &format!("{ITEMS}?page={page}"),
            &entries,
            &format!("{next}<?page={last}>; rel=\"last\""),
        );
    }
}

/// The sessions to crawl at this time.
async fn tasks(world: &World, source: &Source, at: Timestamp) -> Vec<SaleTask> {
    let listed = SaleSource::new(&context(world, source, at, 0)).unwrap().list().await.unwrap();
    assert_eq!(listed.source.failed, None);
    listed.sessions
}

/// Crawls the only session to its end, in one invocation.
async fn crawl(world: &World, source: &Source, at: Timestamp) -> (SaleReport, f64) {
    let task = tasks(world, source, at).await.remove(0);
    let context = context(world, source, at, 0);
    let done = SaleCrawl::new(&context).unwrap().crawl(task).await.unwrap();
    assert!(!done.more);
    (done.progress.unwrap().report, context.take_units().write)
}

fn counts(report: &SaleReport) -> [u32; 4] {
    [report.items, report.new, report.changed, report.removed]
}

/// The current price of each item of the session, by its number.
async fn prices(world: &World, source: &Source) -> Vec<(String, i64)> {
    let page =
        world.table.sale_items(&"noon".parse().unwrap(), PageSize::new(100).unwrap(), None).await.unwrap();
    let shown = page.items.into_iter().map(|item| {
        let path = item.url.strip_prefix(&source.url("")).unwrap().to_owned();
        (path, item.observation.price.unwrap().amount)
    });
    let mut prices: Vec<_> = shown.collect();
    prices.sort();
    prices
}

async fn item_id(world: &World) -> ItemId {
    let page =
        world.table.sale_items(&"noon".parse().unwrap(), PageSize::new(1).unwrap(), None).await.unwrap();
    page.items[0].item_id
}

/// The past prices of an item and its present one, newest first.
async fn history(world: &World, id: ItemId) -> Vec<i64> {
    let history = world.table.price_history(id, PageSize::DEFAULT, None).await.unwrap();
    let now = history.now.unwrap().observation.unwrap().price;
    let past = history.past.items.into_iter().map(|past| past.price);
    std::iter::once(now).chain(past).map(|price| price.unwrap().amount).collect()
}

#[tokio::test]
async fn sessions_are_stored_as_the_source_lists_them_and_crawled_while_they_are_on() {
    let (world, source) = (World::new(), Source::start().await);
    let (early, late) = (event("early", now(), later(3600)), event("late", later(3600), later(7200)));
    source.list(
        SESSIONS,
        &[early, late.clone(), json!("x"), event("over", later(0).minus_seconds(9), now())],
        "",
    );
    let listed = SaleSource::new(&context(&world, &source, now(), 0)).unwrap().list().await.unwrap();
    assert_eq!(listed.sessions.iter().map(|task| task.sale.id.as_str()).collect::<Vec<_>>(), ["early"]);
    assert_eq!(
        json!(listed.source),
        json!({"readAt": now(), "listed": 3, "skipped": [{"position": 3, "fault": "no SaleEvent"}]})
    );
    let stored = async || {
        let sales = world.table.flash_sales().await.unwrap();
        sales.iter().map(|sale| format!("{} {}", sale.id, sale.ends_at)).collect::<Vec<_>>()
    };
    assert_eq!(stored().await, [format!("late {}", later(7200)), format!("early {}", later(3600))]);
    // Nothing has changed, and nothing is written.
    let context_1 = context(&world, &source, later(1), 0);
    SaleSource::new(&context_1).unwrap().list().await.unwrap();
    assert!(context_1.take_units().write.abs() < f64::EPSILON);
    // One is moved, the other one is gone.
    source.list(SESSIONS, &[event("late", later(60), later(9000))], "");
    assert_eq!(tasks(&world, &source, later(60)).await.len(), 1);
    assert_eq!(stored().await, [format!("late {}", later(9000))]);
    // A source that fails changes nothing.
    source.fail(SESSIONS, 503);
    let listed = SaleSource::new(&context(&world, &source, later(61), 0)).unwrap().list().await.unwrap();
    assert_eq!((listed.source.failed, listed.sessions), (Some(Reason::ServerError), vec![]));
    assert_eq!(stored().await.len(), 1);
}

#[tokio::test]
async fn an_item_that_has_not_changed_costs_no_write_and_a_new_price_has_a_past() {
    let (world, source) = (World::new(), source(&[&["10", "20"], &["30"]]).await);
    let (report, write) = crawl(&world, &source, now()).await;
    assert_eq!((counts(&report), report.pages, report.stopped), ([3, 3, 0, 0], 2, None));
    // Each is a watched item and an item of the session.
    assert!((write - 6.0).abs() < f64::EPSILON, "{write}");
    let id = item_id(&world).await;
    assert_eq!(world.table.watched_item(id).await.unwrap().interest, Interest::Unwatched);

    let (report, write) = crawl(&world, &source, later(900)).await;
    assert_eq!(counts(&report), [3, 0, 0, 0]);
    assert!(write.abs() < f64::EPSILON, "{write}");
    assert_eq!(source.take_asked(), [SESSIONS, "/sale/noon?page=1", "/sale/noon?page=2"].repeat(2));

    put_pages(&source, &[&["9.50", "20"]]);
    let (report, write) = crawl(&world, &source, later(1800)).await;
    // The old price, the item, the item of the session; and the item that is gone.
    assert_eq!(counts(&report), [2, 0, 1, 1]);
    assert!((write - 4.0).abs() < f64::EPSILON, "{write}");
    assert_eq!(prices(&world, &source).await, [("/item/1".to_owned(), 950), ("/item/2".to_owned(), 2000)]);
    let changed =
        crawl::PageAddress::parse(&source.url("/item/1"), &crawl::Allowed::parse(&source.host()).unwrap());
    assert_eq!(history(&world, changed.unwrap().item_id()).await, [950, 1000]);
}

#[tokio::test]
async fn a_new_price_of_an_item_that_somebody_watches_is_queued_before_it_is_stored() {
    let world = World::new();
    let source = source(&[&["31.90"]]).await;
    crawl(&world, &source, later(1)).await;
    let id = item_id(&world).await;
    put_pages(&source, &[&["29.90"]]);
    world.wire.take_sent();
    crawl(&world, &source, later(2)).await;
    let queued = world.wire.take_sent().into_iter().filter(|sent| sent.operation == "SendMessage").count();
    assert_eq!(queued, 0, "nobody watches the item");

    let stored = world.table.watched_item(id).await.unwrap();
    let watched = stored.with_interest(Interest::Watched).unwrap();
    assert!(world.table.replace_watched_item(&stored, &watched).await.unwrap());
    put_pages(&source, &[&["27.90"]]);
    world.wire.take_sent();
    crawl(&world, &source, later(3)).await;
    let sent = world.wire.take_sent();
    let queued = sent.iter().position(|sent| sent.operation == "SendMessage").unwrap();
    let is_state = |sent: &tests::Sent| {
        sent.operation == "PutItem" && sent.body["Item"]["sk"]["S"] == table::keys::WATCHED_ITEM
    };
    assert!(queued < sent.iter().position(is_state).unwrap());
    let message = sent[queued].body["MessageBody"].as_str().unwrap();
    let task: Value = serde_json::from_str(message).unwrap();
    let [before, after] = ["before", "after"].map(|side| task["change"][side]["price"]["amount"].as_i64());
    assert_eq!((before, after), (Some(2990), Some(2790)), "{message}");
}

#[tokio::test]
async fn pages_and_items_that_fail_do_not_stop_the_rest() {
    let (world, source) = (World::new(), source(&[&["10"], &["20"], &["30", "a lot"]]).await);
    crawl(&world, &source, now()).await;
    source.fail("/sale/noon?page=2", 500);
    put_pages(&source, &[&["11"]]);
    source.list("/sale/noon?page=1", &[product(1, "11")], "<?page=3>; rel=last, <?page=2>; rel=next");
    source.fail("/sale/noon?page=2", 500);
    let (report, _) = crawl(&world, &source, later(900)).await;
    assert_eq!((counts(&report), report.failed_pages, report.failed_items), ([2, 0, 1, 0], 1, 1));
    assert_eq!(
        json!(report.failures),
        json!([
            {"page": 2, "reason": "server-error"},
            {"page": 3, "item": source.url("/item/4"), "reason": "bad-price"},
        ])
    );
    // What the failed page had may still be in the session.
    assert_eq!(
        prices(&world, &source).await.iter().map(|(_, amount)| *amount).collect::<Vec<_>>(),
        [1100, 2000, 3000]
    );
    source.fail("/sale/noon?page=1", 429);
    let (report, _) = crawl(&world, &source, later(1800)).await;
    assert_eq!((report.pages, report.stopped), (0, Some(Stopped::RateLimited)));
}

#[tokio::test]
async fn pages_of_items_are_asked_for_where_the_list_has_no_offer_and_on_no_other_host() {
    let (world, source, canary) = (World::new(), source(&[&["10"]]).await, Source::start().await);
    let mut elsewhere = product(2, "20");
    elsewhere["item"]["url"] = json!(canary.url("/item/2"));
    let gone = json!({"@type": "ListItem", "url": "/item/4"});
    let entries = [
        product(1, "10"),
        elsewhere,
        json!({"@type": "ListItem", "url": "/item/3"}),
        gone,
        json!({"@type": "Thing"}),
    ];
    source.list("/sale/noon?page=1", &entries, "<?page=1>; rel=next");
    source.product("/item/3", &product(3, "30")["item"]);
    let (report, _) = crawl(&world, &source, now()).await;
    assert_eq!((counts(&report), report.elsewhere, report.failed_items), ([2, 2, 0, 0], 1, 2));
    assert_eq!(report.stopped, Some(Stopped::Repeats));
    assert_eq!(prices(&world, &source).await, [("/item/1".to_owned(), 1000), ("/item/3".to_owned(), 3000)]);
    let mut asked = source.take_asked();
    asked.sort();
    assert_eq!(asked, ["/item/3", "/item/4", SESSIONS, "/sale/noon?page=1"]);
    assert_eq!(canary.take_asked(), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_crawls_at_once_the_later_list_counts() {
    let (world, source) = (World::new(), source(&[&["10"]]).await);
    crawl(&world, &source, now()).await;
    let id = item_id(&world).await;
    put_pages(&source, &[&["9"]]);
    let task = tasks(&world, &source, later(900)).await.remove(0);
    let contexts = [900, 901].map(|seconds| context(&world, &source, later(seconds), 0));
    let [one, other] = contexts.each_ref().map(|context| SaleCrawl::new(context).unwrap());
    let (one, other) = futures::join!(one.crawl(task.clone()), other.crawl(task.clone()));
    assert!(!one.unwrap().more && !other.unwrap().more);
    assert_eq!(history(&world, id).await, [900, 1000]);
    // One that has read an older list comes late.
    put_pages(&source, &[&["12"]]);
    let late = SaleCrawl::new(&context(&world, &source, later(800), 0)).unwrap();
    late.crawl(task).await.unwrap();
    assert_eq!(history(&world, id).await, [900, 1000]);
    assert_eq!(prices(&world, &source).await, [("/item/1".to_owned(), 900)]);
}

#[tokio::test]
async fn a_crawl_goes_on_where_its_time_was_over() {
    let pages: [&[&str]; 4] = [&["10", "11", "12"], &["20", "21"], &["30"], &["40"]];
    let (world, source) = (World::new(), source(&pages).await);
    let mut task = tasks(&world, &source, now()).await.remove(0);
    let mut invocations = 0;
    while task.more {
        invocations += 1;
        // An invocation takes 45 seconds: it reads the clock four times.
        let context = context(&world, &source, later(60 * invocations), 11_000);
        // What a step returns passes through the state machine.
        let input = serde_json::from_value(json!(task)).unwrap();
        task = SaleCrawl::new(&context).unwrap().crawl(input).await.unwrap();
    }
    let report = task.progress.unwrap().report;
    assert!(invocations > 2, "{invocations}");
    assert_eq!((counts(&report), report.pages, report.stopped), ([7, 7, 0, 0], 4, None));
    assert_eq!(prices(&world, &source).await.len(), 7);
    let mut late = tasks(&world, &source, now()).await.remove(0);
    late.until = later(9);
    let done = SaleCrawl::new(&context(&world, &source, later(10), 0)).unwrap().crawl(late).await.unwrap();
    assert_eq!((done.more, done.progress.unwrap().report.stopped), (false, Some(Stopped::Time)));
}

#[tokio::test]
async fn a_crawl_that_dies_between_its_writes_is_repeated() {
    // A new price is written to the past, to the item, and to the item of the session.
    for writes in 0..3 {
        let (world, source) = (World::new(), source(&[&["10"]]).await);
        crawl(&world, &source, now()).await;
        let id = item_id(&world).await;
        put_pages(&source, &[&["9"]]);
        let task = tasks(&world, &source, later(900)).await.remove(0);
        let mut faults = vec![Fault::Altered(Arc::new(|_| {})); writes];
        faults.push(Fault::Refused("AccessDeniedException"));
        world.wire.next("PutItem", faults);
        let attempt = async |seconds| {
            SaleCrawl::new(&context(&world, &source, later(seconds), 0)).unwrap().crawl(task.clone()).await
        };
        assert!(is_unavailable(&attempt(900).await), "{writes}");
        assert!(!attempt(910).await.unwrap().more);
        assert_eq!(history(&world, id).await, [900, 1000], "{writes}");
        assert_eq!(prices(&world, &source).await, [("/item/1".to_owned(), 900)]);
    }
}
