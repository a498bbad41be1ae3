//! Ratings against all that may happen to them: whatever is written, however the stream is delivered and whoever dies
//! on the way, a rating is what its reviews say.
//!
//! A history is made at random and lived through with the real code: the reviews' writes, the steps of the machine
//! that withdraws a product, and the consumer `rating-average`. The test plays DynamoDB's stream and Lambda's event
//! source mapping. A history that fails is shrunk to a short one and printed.

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
use std::{collections::HashMap, env, fmt, thread, time::Duration};
use strategies::histories;
use table::{Table, keys};
use tests::{
    World, config,
    samples::{product, product_id, user_id},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/rating-average/src/main.rs"]
mod rating_average;

/// How many histories are lived through; `PROPTEST_CASES` is another number.
const CASES: u32 = 2500;

/// The user who sells all products.
const SELLER: u32 = 7;

#[derive(Clone)]
struct History {
    products: usize,
    users: usize,
    /// Products share a shard when they have the same remainder.
    shards: usize,
    numbers: Numbers,
    steps: Vec<Step>,
}

/// A line for each step, since that is what whoever looks for a fault reads.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { products, users, shards, numbers, steps } = self;
        write!(f, "{products} products, {users} users, {shards} shards, {numbers:?}")?;
        steps.iter().try_for_each(|step| write!(f, "\n    {step:?}"))
    }
}

/// The stream's sequence numbers: the first is so much below a power of ten, so that digits are added on the way.
#[derive(Debug, Clone)]
struct Numbers {
    digits: u32,
    below: u128,
    step: u128,
}

#[derive(Debug, Clone)]
enum Step {
    /// A user's request. It reads and then writes, unless it is held in between.
    Request { user: usize, product: usize, ask: Ask, luck: Vec<Luck>, held: bool },
    /// The request that has been held longest writes.
    Release,
    /// The withdrawal of a product goes one step on.
    Withdraw { product: usize, luck: Vec<Luck> },
    /// Lambda hands the next records of a shard to a worker.
    Deliver { shard: usize, size: usize, luck: Vec<Luck>, fate: Fate },
    /// Records that were delivered long ago, from so far back, come again.
    Repeat { shard: usize, back: usize, size: usize, luck: Vec<Luck>, fate: Fate },
    /// The worker that has stalled longest goes on.
    Wake { turns: u32 },
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    /// Writes a review, or changes its stars.
    Rate(i64),
    /// Changes a review's text alone.
    Reword,
    Delete,
}

/// What becomes of one attempt of the client at a request.
#[derive(Debug, Clone, Copy)]
enum Luck {
    Good,
    /// It is refused before it is carried out.
    Refused,
    /// It is carried out and its answer is lost.
    Lost,
    /// It neither arrives nor fails.
    Hung,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The worker answers, and Lambda goes on from there.
    Answers,
    /// The worker ends its work, but Lambda does not hear of it.
    Unheard,
    /// The worker dies after so many turns.
    Dies(u32),
    /// The worker stalls after so many turns; Lambda takes it for dead, but it lives on.
    Stalls(u32),
}

/// A client that does not wait before it tries again: what happens depends on the history alone.
#[derive(Debug)]
struct NoWait;

impl AsyncSleep for NoWait {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

/// What all histories begin with, made once: publishing through the client takes longer than most of them.
struct Ground {
    table_name: String,
    products: Vec<Vec<(keys::Key, Value)>>,
}

impl Ground {
    async fn lay() -> Self {
        let world = World::new();
        let mut products = Vec::new();
        for number in 0..4 {
            world.table.create_product(&product(number, SELLER), None).await.unwrap();
            let items = items_of(product_id(number)).map(|key| (key.clone(), world.item(&key)));
            products.push(items.to_vec());
        }
        // The world does not say how it calls its table; its client does.
        let sent = &world.wire.take_sent()[0].body;
        let name = &sent["TransactItems"][0]["Put"]["TableName"];
        Self { table_name: name.as_str().unwrap().to_owned(), products }
    }
}

/// What a product is made of, as far as this test goes.
fn items_of(id: ProductId) -> [keys::Key; 2] {
    [keys::product(id), keys::rating(id)]
}

fn id_of(product: usize) -> ProductId {
    product_id(u32::try_from(product).unwrap())
}

fn user_number(user: usize) -> u32 {
    u32::try_from(user).unwrap() + 100
}

/// How far the withdrawal of a product has come, in the machine's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Shown,
    Hidden,
    Purged,
    Waited,
    PurgedAgain,
    Gone,
}

/// A request that has read and not yet written.
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

/// The records of one shard, and how far Lambda has come.
#[derive(Default)]
struct Shard {
    records: Vec<Value>,
    at: usize,
}

/// A history while it is lived through.
struct Life<'a> {
    history: &'a History,
    world: &'a World,
    table: &'a Table,
    shards: Vec<Shard>,
    number: u128,
    requests: u8,
    /// The reviews as the stream has told them, by product and user.
    told: HashMap<(usize, usize), Value>,
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
            requests: 0,
            told: HashMap::new(),
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
            Step::Release | Step::Wake { .. } => {}
        }
    }

    /// Once all is delivered: what is withdrawn is gone, and every rating is what its reviews say.
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
            if self.stages[product] == Stage::Gone {
                prop_assert_eq!(items, [Value::Null, Value::Null], "of product {}", product);
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

/// The review of an image.
fn to_review(image: &Value) -> Review {
    let plain = |value: &Value| match value["N"].as_str() {
        Some(number) => json!(number.parse::<u64>().unwrap()),
        None => value["S"].clone(),
    };
    let members = image.as_object().unwrap().iter().map(|(name, value)| (name.clone(), plain(value)));
    // A long text is kept compressed; what it says is of no account here.
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
    // What is being withdrawn goes. Changes of reviews that were read before may come even after that.
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

/// Lives through so many histories, and says which went wrong.
fn live_through(cases: u32) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ground = runtime.block_on(Ground::lay());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&histories(), |history| runtime.block_on(live(&ground, &history)))
        .map_err(|error| error.to_string())
}

#[test]
fn ratings_are_what_their_reviews_say_whatever_happens() {
    let cases = env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let threads = thread::available_parallelism().map_or(1, |threads| u32::try_from(threads.get()).unwrap());
    let threads: Vec<_> =
        (0..threads).map(|_| thread::spawn(move || live_through(cases.div_ceil(threads)))).collect();
    for thread in threads {
        if let Err(wrong) = thread.join().unwrap() {
            panic!("{wrong}");
        }
    }
}
