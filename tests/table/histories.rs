//! Ratings against all that may happen to them: whatever is written, however the stream is delivered and whoever dies
//! on the way, a rating is what its reviews say.
//!
//! A history is made at random and lived through with the real code: the reviews' writes, the steps of the machine
//! that withdraws a product, and the consumer `rating-average`. The test plays DynamoDB's stream and Lambda's event
//! source mapping. A history that fails is shrunk to a short one and printed.

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use domain::{
    Error, Input,
    id::ProductId,
    input::MergePatch,
    rating::RatingChange,
    review::{Review, Stars},
    version::Seen,
};
use futures::{FutureExt, future::LocalBoxFuture, poll};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select as one_of,
    test_runner::{TestCaseError, TestCaseResult, TestRunner},
};
use runtime::{Outcome, Work, work_through};
use serde_json::{Value, json};
use std::{collections::HashMap, env, fmt, sync::Arc, task::Poll, thread, time::Duration};
use table::{Changed, Hidden, Record, Table, keys};
use tests::{
    Fault, Wire, World, config,
    samples::{caller, later, product, product_id, review, user_id},
};
use tokio::sync::Barrier;

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/rating-average/src/main.rs"]
mod rating_average;

/// How many histories are lived through; `PROPTEST_CASES` is another number.
const CASES: u32 = 2500;

/// The user who sells all products.
const SELLER: u32 = 7;

/// A worker gets so many turns before Lambda takes it for dead: more than its requests and their retries take.
const TIME_OUT: u32 = 60;

/// How many records Lambda hands out at a time when all that is left is delivered.
const LAST_BATCHES: usize = 3;

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

impl Step {
    /// With products, users and shards that there are.
    fn among(mut self, products: usize, users: usize, shards: usize) -> Self {
        match &mut self {
            Self::Request { user, product, .. } => (*user, *product) = (*user % users, *product % products),
            Self::Withdraw { product, .. } => *product %= products,
            Self::Deliver { shard, .. } | Self::Repeat { shard, .. } => *shard %= shards,
            Self::Release | Self::Wake { .. } => {}
        }
        self
    }
}

fn histories() -> impl Strategy<Value = History> {
    let numbers = (1..38_u32, 1..9_u128, one_of(vec![1, 2, 700]));
    let numbers = numbers.prop_map(|(digits, below, step)| Numbers { digits, below, step });
    let world = (2..=4_usize, 3..=6_usize, 1..=2_usize, numbers);
    (world, vec(steps(), 1..34)).prop_map(|((products, users, shards, numbers), steps)| {
        let steps = steps.into_iter().map(|step| step.among(products, users, shards)).collect();
        History { products, users, shards, numbers, steps }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let ask =
        prop_oneof![6 => (1..=5_i64).prop_map(Ask::Rate), 1 => Just(Ask::Reword), 2 => Just(Ask::Delete)];
    let request = (0..6_usize, 0..4_usize, ask, luck(false), prop::bool::weighted(0.15))
        .prop_map(|(user, product, ask, luck, held)| Step::Request { user, product, ask, luck, held });
    let withdraw = (0..4_usize, luck(false)).prop_map(|(product, luck)| Step::Withdraw { product, luck });
    let deliver = (0..2_usize, 1..9_usize, luck(true), fate())
        .prop_map(|(shard, size, luck, fate)| Step::Deliver { shard, size, luck, fate });
    let repeat = (0..2_usize, 1..9_usize, 1..9_usize, luck(true), fate())
        .prop_map(|(shard, back, size, luck, fate)| Step::Repeat { shard, back, size, luck, fate });
    prop_oneof![
        14 => request,
        1 => Just(Step::Release),
        1 => withdraw,
        8 => deliver,
        1 => repeat,
        2 => (1..6_u32).prop_map(|turns| Step::Wake { turns }),
    ]
}

/// One for each attempt, in their order; those after them are good.
fn luck(may_hang: bool) -> impl Strategy<Value = Vec<Luck>> {
    let one = prop_oneof![
        2 => Just(Luck::Good),
        2 => Just(Luck::Refused),
        2 => Just(Luck::Lost),
        u32::from(may_hang) => Just(Luck::Hung),
    ];
    let runs = vec((one, 1..5_usize), 0..4);
    let bad = runs.prop_map(|runs| runs.into_iter().flat_map(|(luck, times)| vec![luck; times]).collect());
    prop_oneof![Just(Vec::new()), bad]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Answers),
        1 => Just(Fate::Unheard),
        1 => (1..6_u32).prop_map(Fate::Dies),
        2 => (1..6_u32).prop_map(Fate::Stalls),
    ]
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

/// A worker at a batch.
struct Worker<'a> {
    work: LocalBoxFuture<'a, Outcome>,
    luck: Vec<Luck>,
}

impl<'a> Worker<'a> {
    fn start(table: &'a Table, records: &[Value], luck: &[Luck]) -> Self {
        let records = records.iter().map(|record| serde_json::from_value(record.clone()).unwrap()).collect();
        let count = move |product, changes| count(table, product, changes);
        let work = work_through(records, rating_average::select, count).boxed_local();
        Self { work, luck: luck.to_vec() }
    }

    /// Gives it so many turns; in each, every request that it has under way comes one step on.
    async fn go_on(&mut self, wire: &Wire, turns: u32) -> Option<Outcome> {
        for _ in 0..turns {
            wire.take_sent();
            wire.next("UpdateItem", self.luck.iter().map(|luck| luck.fault()));
            let polled = poll!(&mut self.work);
            wire.heal();
            let met = wire.take_sent().len().min(self.luck.len());
            self.luck.drain(..met);
            if let Poll::Ready(outcome) = polled {
                return Some(outcome);
            }
            tokio::task::yield_now().await;
        }
        None
    }
}

/// As `rating-average` does it; that one needs a whole function's app.
async fn count(table: &Table, product: ProductId, changes: Vec<Work<RatingChange>>) -> Result<(), Error> {
    let changes: Vec<_> = changes.into_iter().map(|change| (change.sequence, change.what)).collect();
    table.count(product, &changes).await.map(drop)
}

impl Luck {
    fn fault(self) -> Fault {
        match self {
            Self::Good => Fault::Altered(Arc::new(|_| {})),
            Self::Refused => Fault::Throttled,
            Self::Lost => Fault::AnswerLost,
            Self::Hung => Fault::Held(Arc::new(Barrier::new(2))),
        }
    }
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

    /// What a request is to write, after what it has read; nothing when it is refused.
    fn read(&self, user: usize, product: usize, ask: Ask) -> Option<Write> {
        let author = caller(user_number(user));
        let change = |review: &Review, patch: Value| {
            let patch = MergePatch::from_json(patch).unwrap();
            review.change(&author, patch, &Seen::Any, later(1)).unwrap()
        };
        let stars = |stars| Stars::new(stars).unwrap();
        match (ask, self.told.get(&(product, user)).map(to_review)) {
            (Ask::Rate(_), None) if self.stages[product] > Stage::Shown => None,
            (Ask::Rate(given), None) => {
                let mut first = review(id_of(product), user_number(user));
                first.author_id = author.user_id;
                first.draft.rating = stars(given);
                Some(Write::Create(first))
            }
            (Ask::Rate(given), Some(review)) => {
                Some(Write::Replace(change(&review, json!({"rating": given}))))
            }
            // Long enough to be kept compressed.
            (Ask::Reword, Some(review)) => {
                Some(Write::Replace(change(&review, json!({"body": "Sweet. ".repeat(180).trim_end()}))))
            }
            (Ask::Delete, Some(review)) => Some(Write::Delete(review)),
            (Ask::Reword | Ask::Delete, None) => None,
        }
    }

    async fn write(&mut self, Held { user, product, write, luck }: Held) {
        self.requests += 1;
        let writer = [self.requests; 16];
        let operation = match write {
            Write::Create(_) => "PutItem",
            Write::Replace(_) => "UpdateItem",
            Write::Delete(_) => "DeleteItem",
        };
        self.world.wire.next(operation, luck.into_iter().map(Luck::fault));
        let written = match write {
            Write::Create(review) => self.table.create_review(&review, None, writer).await.map(drop),
            Write::Replace(review) => self.table.replace_review(&review, writer).await,
            Write::Delete(review) => self.table.delete_review(&review).await,
        };
        self.world.wire.heal();
        assert!(!matches!(written, Err(Error::Internal { .. })), "{written:?}");
        self.tell(product, user);
    }

    /// The stream's record of what has become of a review; none when nothing has.
    fn tell(&mut self, product: usize, user: usize) {
        let key = keys::review(id_of(product), user_id(user_number(user)));
        let new = self.world.item(&key);
        let old = self.told.get(&(product, user)).cloned().unwrap_or_default();
        if new == old {
            return;
        }
        let mut images = json!({
            "Keys": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            "SequenceNumber": self.number.to_string(),
        });
        self.number += self.history.numbers.step;
        for (name, image) in [("OldImage", old), ("NewImage", new.clone())] {
            if !image.is_null() {
                images[name] = image;
            }
        }
        self.shards[product % self.history.shards].records.push(json!({"dynamodb": images}));
        if new.is_null() {
            self.told.remove(&(product, user));
        } else {
            self.told.insert((product, user), new);
        }
    }

    /// The next step of the machine, which is tried again, by a later call, as long as it is unavailable.
    async fn withdraw(&mut self, product: usize, luck: &[Luck]) {
        let id = id_of(product);
        for operation in ["UpdateItem", "BatchWriteItem", "TransactWriteItems"] {
            self.world.wire.next(operation, luck.iter().map(|luck| luck.fault()));
        }
        let (done, next) = match self.stages[product] {
            Stage::Shown => {
                let hidden = self.table.hide_product(id, 1).await;
                (hidden.map(|hidden| assert_eq!(hidden, Hidden::Done)), Stage::Hidden)
            }
            Stage::Hidden => (self.purge(product).await, Stage::Purged),
            Stage::Purged => {
                self.world.wire.heal();
                self.end_creates(product).await;
                (Ok(()), Stage::Waited)
            }
            Stage::Waited => (self.purge(product).await, Stage::PurgedAgain),
            Stage::PurgedAgain => (self.table.purge_product(id, user_id(SELLER)).await, Stage::Gone),
            Stage::Gone => (Ok(()), Stage::Gone),
        };
        self.world.wire.heal();
        match done {
            Ok(()) => self.stages[product] = next,
            Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error:?}"),
        }
    }

    async fn purge(&mut self, product: usize) -> Result<(), Error> {
        let purged = self.table.purge_reviews(id_of(product)).await;
        for user in 0..self.history.users {
            self.tell(product, user);
        }
        purged.map(|purged| assert!(!purged.more))
    }

    /// Whoever saw the product before it was hidden has written when the machine has waited.
    async fn end_creates(&mut self, product: usize) {
        let is_create = |held: &mut Held| held.product == product && matches!(held.write, Write::Create(_));
        let creates: Vec<_> = self.held.extract_if(.., is_create).collect();
        for create in creates {
            self.write(create).await;
        }
    }

    /// Hands records of a shard to a worker; what Lambda hears decides where it goes on.
    async fn deliver(&mut self, shard: usize, from: usize, size: usize, luck: &[Luck], fate: Fate) {
        let Shard { records, at } = &mut self.shards[shard];
        let batch = &records[from..(from + size).min(records.len())];
        if batch.is_empty() {
            return;
        }
        let mut worker = Worker::start(self.table, batch, luck);
        let turns = match fate {
            Fate::Answers | Fate::Unheard => TIME_OUT,
            Fate::Dies(turns) | Fate::Stalls(turns) => turns,
        };
        let outcome = worker.go_on(&self.world.wire, turns).await;
        match (fate, outcome) {
            (Fate::Stalls(_), None) => self.stalled.push(worker),
            (Fate::Unheard, _) | (_, None) => {}
            (_, Some(Outcome { failed: None })) => *at = (*at).max(from + batch.len()),
            (_, Some(Outcome { failed: Some((_, number, error)) })) => {
                assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
                let failed = batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == number);
                *at = (*at).max(from + failed.unwrap());
            }
        }
    }

    /// Nothing goes wrong any more, and all that is left in the stream is delivered.
    async fn settle(&mut self) -> TestCaseResult {
        for shard in 0..self.shards.len() {
            while self.shards[shard].at < self.shards[shard].records.len() {
                let from = self.shards[shard].at;
                self.deliver(shard, from, LAST_BATCHES, &[], Fate::Answers).await;
                if self.shards[shard].at == from {
                    return Err(TestCaseError::fail("a batch makes no progress though nothing is wrong"));
                }
            }
        }
        for mut worker in std::mem::take(&mut self.stalled) {
            worker.go_on(&self.world.wire, TIME_OUT).await;
        }
        Ok(())
    }

    fn check(&self) -> TestCaseResult {
        for product in 0..self.history.products {
            let items = items_of(id_of(product)).map(|key| self.world.item(&key));
            let reviews = (0..self.history.users)
                .map(|user| self.world.item(&keys::review(id_of(product), user_id(user_number(user)))))
                .filter(|item| !item.is_null());
            let mut expected = [0; 5];
            let mut surviving = 0;
            for review in reviews {
                expected[usize::from(to_review(&review).draft.rating.get()) - 1] += 1;
                surviving += 1;
            }
            if self.stages[product] == Stage::Gone {
                prop_assert_eq!(items, [Value::Null, Value::Null], "of product {}", product);
                prop_assert_eq!(surviving, 0, "reviews of product {}", product);
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

/// The review of an image, as consumers read it.
fn to_review(image: &Value) -> Review {
    let keys = json!({"pk": image["pk"], "sk": image["sk"]});
    let record = json!({"dynamodb": {"SequenceNumber": "1", "Keys": keys, "NewImage": image}});
    let record: Record = serde_json::from_value(record).unwrap();
    match record.read().unwrap().of {
        Changed::Review { new: Some(review), .. } => review,
        other => panic!("{other:?}"),
    }
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
