//! Ratings under random writes, deliveries and failures: in the end, every rating equals the histogram of its reviews.
//!
//! A history is generated at random and run with the real code: the writes of reviews, the steps of the state machine
//! that withdraws a product, and the consumer `rating-average`. The test simulates DynamoDB's stream and Lambda's event
//! source mapping. A failing history is shrunk and printed.

mod deliveries;
mod strategies;
mod writes;

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use deliveries::Worker;
use domain::{id::ProductId, review::Review};
use proptest::{
    prelude::*,
    test_runner::{TestCaseResult, TestRunner},
};
use serde_json::{Value, json};
use std::{collections::HashMap, fmt, thread, time::Duration};
use strategies::histories;
use table::{Table, keys};
use tests::{
    World, config,
    samples::{product, product_id, stock, user_id},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/rating-average/src/main.rs"]
mod rating_average;

/// The number of histories that are run.
const CASES: u32 = 800;

/// The seller of all products.
const SELLER: u32 = 7;

#[derive(Clone)]
struct History {
    products: usize,
    users: usize,
    /// The number of shards; a product's shard is its number modulo this.
    shards: usize,
    numbers: Numbers,
    steps: Vec<Step>,
}

/// Prints one step on each line, so that a failing history can be read.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { products, users, shards, numbers, steps } = self;
        write!(f, "{products} products, {users} users, {shards} shards, {numbers:?}")?;
        steps.iter().try_for_each(|step| write!(f, "\n    {step:?}"))
    }
}

/// The stream's sequence numbers. The first is `below` less than 10 to the power of `digits`, so that the number of
/// digits increases during a history.
#[derive(Debug, Clone)]
struct Numbers {
    digits: u32,
    below: u128,
    step: u128,
}

#[derive(Debug, Clone)]
enum Step {
    /// A user's request reads, then writes. If it is held, the write is delayed.
    Request { user: usize, product: usize, ask: Ask, luck: Vec<Luck>, held: bool },
    /// The request that has been held longest sends its write.
    Release,
    /// The withdrawal of a product runs its next step.
    Withdraw { product: usize, luck: Vec<Luck> },
    /// Lambda invokes a worker with the next records of a shard.
    Deliver { shard: usize, size: usize, luck: Vec<Luck>, fate: Fate },
    /// Lambda delivers earlier records again, starting `back` records before the shard's position.
    Repeat { shard: usize, back: usize, size: usize, luck: Vec<Luck>, fate: Fate },
    /// The worker that has been stalled longest continues.
    Wake { turns: u32 },
    /// The stream is turned off and on: a new stream begins, with low sequence numbers.
    NewStream,
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    /// Creates a review, or changes its stars.
    Rate(i64),
    /// Changes only a review's text.
    Reword,
    Delete,
}

/// The outcome of one attempt of a request.
#[derive(Debug, Clone, Copy)]
enum Luck {
    Good,
    /// The request is rejected before execution.
    Refused,
    /// The request is executed and its response is lost.
    Lost,
    /// The request hangs: it neither arrives nor fails.
    Hung,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The worker responds, and Lambda continues after the processed records.
    Answers,
    /// The worker completes, but Lambda does not receive its response.
    Unheard,
    /// The worker is killed after this number of polls.
    Dies(u32),
    /// The worker stalls after this number of polls; Lambda treats it as failed, but it may continue later.
    Stalls(u32),
}

/// A sleep that returns at once, so that a run depends only on the history and not on the time.
#[derive(Debug)]
struct NoWait;

impl AsyncSleep for NoWait {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

/// The initial items of all histories, created once: publishing through the client takes longer than most histories.
struct Ground {
    table_name: String,
    products: Vec<Vec<(keys::Key, Value)>>,
}

impl Ground {
    async fn load() -> Self {
        let world = World::new();
        let mut products = Vec::new();
        for number in 0..4 {
            world.table.create_product(&product(number, SELLER), stock(3), None).await.unwrap();
            let items = items_of(product_id(number)).map(|key| (key.clone(), world.item(&key)));
            products.push(items.to_vec());
        }
        // The client's first request contains the table's name.
        let sent = &world.wire.take_sent()[0].body;
        let name = &sent["TransactItems"][0]["Put"]["TableName"];
        Self { table_name: name.as_str().unwrap().to_owned(), products }
    }
}

/// The keys of a product's items that this test checks.
fn items_of(id: ProductId) -> [keys::Key; 3] {
    [keys::product(id), keys::rating(id), keys::stock(id)]
}

fn id_of(product: usize) -> ProductId {
    product_id(u32::try_from(product).unwrap())
}

fn user_number(user: usize) -> u32 {
    u32::try_from(user).unwrap() + 100
}

/// The stage of a product's withdrawal, in the order of the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Shown,
    Hidden,
    Purged,
    Waited,
    PurgedAgain,
    Gone,
}

/// A request that has read but not written yet.
struct Held {
    user: usize,
    product: usize,
    write: Write,
    luck: Vec<Luck>,
}

enum Write {
    Create(Review),
    Replace(Review),
    Delete(Review),
}

/// The records of one shard, and Lambda's position in them.
#[derive(Default)]
struct Shard {
    records: Vec<Value>,
    at: usize,
}

/// The state of a running history.
struct Life<'a> {
    history: &'a History,
    world: &'a World,
    table: &'a Table,
    shards: Vec<Shard>,
    number: u128,
    /// How many streams the table has had before the present one.
    streams: u32,
    requests: u8,
    /// The newest image of each review in the stream's records, by product and user.
    recorded: HashMap<(usize, usize), Value>,
    stages: Vec<Stage>,
    held: Vec<Held>,
    stalled: Vec<Worker<'a>>,
}

impl<'a> Life<'a> {
    fn new(history: &'a History, world: &'a World, table: &'a Table) -> Self {
        let Numbers { digits, below, .. } = history.numbers;
        Self {
            history,
            world,
            table,
            shards: (0..history.shards).map(|_| Shard::default()).collect(),
            number: 10_u128.pow(digits) - below,
            streams: 0,
            requests: 0,
            recorded: HashMap::new(),
            stages: vec![Stage::Shown; history.products],
            held: Vec::new(),
            stalled: Vec::new(),
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Request { user, product, ask, luck, held } => {
                let Some(write) = self.read(*user, *product, *ask) else { return };
                let request = Held { user: *user, product: *product, write, luck: luck.clone() };
                if *held { self.held.push(request) } else { self.write(request).await }
            }
            Step::Release if !self.held.is_empty() => {
                let request = self.held.remove(0);
                self.write(request).await;
            }
            Step::Withdraw { product, luck } => self.withdraw(*product, luck).await,
            Step::Deliver { shard, size, luck, fate } => {
                let from = self.shards[*shard].at;
                self.deliver(*shard, from, *size, luck, *fate).await;
            }
            Step::Repeat { shard, back, size, luck, fate } => {
                let from = self.shards[*shard].at.saturating_sub(*back);
                self.deliver(*shard, from, *size, luck, *fate).await;
            }
            Step::Wake { turns } if !self.stalled.is_empty() => {
                let mut worker = self.stalled.remove(0);
                if worker.go_on(&self.world.wire, *turns).await.is_none() {
                    self.stalled.push(worker);
                }
            }
            Step::NewStream => {
                self.streams += 1;
                self.number = 1;
            }
            Step::Release | Step::Wake { .. } => {}
        }
    }

    /// Checks the state after all deliveries: the items of deleted products are gone, and every other rating equals the
    /// histogram of its reviews.
    fn check(&self) -> TestCaseResult {
        for product in 0..self.history.products {
            let items = items_of(id_of(product)).map(|key| self.world.item(&key));
            let reviews = (0..self.history.users)
                .map(|user| self.world.item(&keys::review(id_of(product), user_id(user_number(user)))))
                .filter(|item| !item.is_null());
            let mut expected = [0; 5];
            for review in reviews {
                expected[usize::from(to_review(&review).draft.rating.get()) - 1] += 1;
            }
            // The last step may have been carried out although its answer was lost.
            let unheard = self.stages[product] == Stage::PurgedAgain && items == [const { Value::Null }; 3];
            if self.stages[product] == Stage::Gone || unheard {
                prop_assert_eq!(items, [const { Value::Null }; 3], "of product {}", product);
                prop_assert_eq!(expected, [0; 5], "reviews of product {}", product);
            } else {
                prop_assert!(!items.contains(&Value::Null), "product {} is not whole: {:?}", product, items);
                let count = |stars| items[1][format!("stars{stars}")]["N"].as_str().unwrap_or("0");
                let stored: Vec<i64> = (1..=5).map(|stars| count(stars).parse().unwrap()).collect();
                prop_assert_eq!(stored, expected, "the rating of product {}", product);
            }
        }
        Ok(())
    }
}

/// Parses the review from an image.
fn to_review(image: &Value) -> Review {
    let plain = |value: &Value| match value["N"].as_str() {
        Some(number) => json!(number.parse::<u64>().unwrap()),
        None if value["BOOL"].is_boolean() => value["BOOL"].clone(),
        None => value["S"].clone(),
    };
    let members = image.as_object().unwrap().iter().map(|(name, value)| (name.clone(), plain(value)));
    // A long text is stored compressed in another attribute. The text does not matter here.
    let text = ("body".to_owned(), json!("long"));
    serde_json::from_value(std::iter::once(text).chain(members).collect()).unwrap()
}

async fn live(ground: &Ground, history: &History) -> TestCaseResult {
    let world = World::new();
    for (key, item) in ground.products.iter().take(history.products).flatten() {
        world.put(key, item);
    }
    let config = config(SharedHttpClient::new(world.wire.clone()), "https://dynamodb.test.example");
    let table = Table::new(&config.into_builder().sleep_impl(NoWait).build(), &ground.table_name);
    let mut life = Life::new(history, &world, &table);
    for step in &history.steps {
        life.take(step).await;
    }
    life.settle().await?;
    life.check()?;
    // Completes the withdrawals that have begun. Held changes of reviews may be written after that.
    for product in 0..history.products {
        while (Stage::Hidden..Stage::Gone).contains(&life.stages[product]) {
            life.withdraw(product, &[]).await;
        }
    }
    for request in std::mem::take(&mut life.held) {
        life.write(request).await;
    }
    life.settle().await?;
    life.check()
}

/// Runs this number of histories; the error describes the failing one.
fn live_through(cases: u32) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ground = runtime.block_on(Ground::load());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&histories(), |history| runtime.block_on(live(&ground, &history)))
        .map_err(|error| error.to_string())
}

#[test]
fn ratings_equal_their_reviews_in_random_histories() {
    let cases = tests::histories(CASES);
    let threads = thread::available_parallelism().map_or(1, |threads| u32::try_from(threads.get()).unwrap());
    let threads: Vec<_> =
        (0..threads).map(|_| thread::spawn(move || live_through(cases.div_ceil(threads)))).collect();
    for thread in threads {
        if let Err(wrong) = thread.join().unwrap() {
            panic!("{wrong}");
        }
    }
}
