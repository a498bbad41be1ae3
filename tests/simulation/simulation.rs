//! The scheduler: tasks, the points at which they wait, and what happens when a point is chosen.
//!
//! All tasks run in one thread. A task runs until it waits for points only; then the chooser picks one point of all
//! tasks and says what happens at it. Nothing else moves a task on, so a run is a function of the choices.

mod happening;
mod running;

use crate::{
    cache::Pages,
    lambda::{self, Event, Invoked},
    network::{Reply, Sent},
    point::{Access, ActorId, By, Gate, Kind, Point, TaskId},
    provider::Provider,
    replica::Replica,
    trace::Trace,
    waiting::{Waiting, Waits},
};
use domain::Timestamp;
use futures::{FutureExt, channel::oneshot::Sender, future::LocalBoxFuture, task::ArcWake};
use serde_json::Value;
use std::{
    cell::{Cell, Ref, RefCell, RefMut},
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tests::{World, samples};
use tokio::runtime::Runtime;

/// The minimum age of orders that the sweep processes.
pub const SWEEP_AFTER_SECONDS: u64 = 600;

/// A run with more steps than these does not come to an end.
const MOST_STEPS: usize = 5_000;

/// How long a task may wait for a timer that is not the simulation's, such as the pause before a retry.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

thread_local! {
    static RUNS: Cell<u64> = const { Cell::new(0) };
    static CURRENT: RefCell<Option<Simulation>> = const { RefCell::new(None) };
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
}

/// The simulation that this thread runs.
pub fn current() -> Simulation {
    CURRENT.with_borrow(|current| current.clone().expect("a simulation runs"))
}

/// A world with its tasks.
#[derive(Clone)]
pub struct Simulation(Rc<State>);

struct State {
    world: Rc<World>,
    provider: RefCell<Provider>,
    /// The status of each execution, by machine and name.
    executions: RefCell<BTreeMap<String, &'static str>>,
    tasks: RefCell<Vec<Task>>,
    /// The names of the actors.
    actors: RefCell<Vec<String>>,
    points: RefCell<Vec<Point>>,
    next_point: Cell<u64>,
    running: Cell<TaskId>,
    /// Milliseconds since 1970.
    clock: Cell<u64>,
    /// The milliseconds that each step takes.
    step_ms: u64,
    /// How far the clocks of sweeps are ahead, in seconds.
    sweep_ahead: u64,
    trace: RefCell<Trace>,
    /// The table as it was some writes ago.
    replica: RefCell<Replica>,
    /// Whether a page of a query that has a limit has one item.
    short_pages: Cell<bool>,
    /// The records of the table's stream, where a scenario reads it.
    stream: RefCell<Option<Vec<Value>>>,
    /// The cache's server.
    pages: RefCell<Pages>,
    /// Whether an invalidation has failed, so that a page may be outdated until the stream is delivered.
    cache_excused: Cell<bool>,
    /// For each token of a transaction that an AWS client has drawn: the one that it has here.
    tokens: RefCell<BTreeMap<String, String>>,
    /// What clients found to be wrong.
    findings: RefCell<Vec<String>>,
    /// The number of this run in its thread.
    run: u64,
    /// The number of steps so far that may have changed what a gate waits for.
    changes: Cell<u64>,
}

struct Task {
    name: String,
    actor: ActorId,
    /// `None` once it has ended.
    future: Option<LocalBoxFuture<'static, ()>>,
    woken: Arc<Woken>,
    waits: Waits,
    /// The time at which it is stopped, if it is a function.
    expires: u64,
    random: u64,
}

struct Woken(AtomicBool);

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.0.store(true, Ordering::Relaxed);
    }
}

impl Simulation {
    /// An empty world.
    pub fn new(step_ms: u64, sweep_ahead: u64) -> Self {
        Self::of(Rc::new(World::new()), step_ms, sweep_ahead)
    }

    /// A simulation over a table that is there already.
    pub fn of(world: Rc<World>, step_ms: u64, sweep_ahead: u64) -> Self {
        lambda::renew();
        let state = State {
            world,
            provider: RefCell::default(),
            executions: RefCell::default(),
            tasks: RefCell::default(),
            actors: RefCell::default(),
            points: RefCell::default(),
            next_point: Cell::new(0),
            running: Cell::new(0),
            clock: Cell::new(beginning()),
            step_ms,
            sweep_ahead,
            trace: RefCell::default(),
            replica: RefCell::default(),
            short_pages: Cell::default(),
            stream: RefCell::default(),
            pages: RefCell::default(),
            cache_excused: Cell::default(),
            tokens: RefCell::default(),
            findings: RefCell::default(),
            run: RUNS.replace(RUNS.get() + 1) + 1,
            changes: Cell::default(),
        };
        let simulation = Self(Rc::new(state));
        CURRENT.set(Some(simulation.clone()));
        simulation
    }

    /// The table.
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// The payment provider, and the time.
    pub fn provider<T>(&self, work: impl FnOnce(&mut Provider, u64) -> T) -> T {
        work(&mut self.0.provider.borrow_mut(), self.0.clock.get())
    }

    /// One line for each step, and what functions log.
    pub fn trace(&self) -> &RefCell<Trace> {
        &self.0.trace
    }

    /// A hash of the world: of the table, the provider and the executions.
    pub fn state(&self) -> u64 {
        let mut items: Vec<String> = self.0.world.items().iter().map(Value::to_string).collect();
        items.sort();
        hash(&(items, &*self.0.provider.borrow(), &*self.0.executions.borrow()))
    }

    /// From now on, this is the simulation that functions find.
    pub fn resume(&self) {
        CURRENT.set(Some(self.clone()));
    }

    /// Forgets all actors, what was found and the time that has passed; only the world remains. Returns the number of
    /// actors.
    pub fn forget(&self) -> usize {
        self.end();
        self.0.clock.set(beginning());
        self.0.findings.borrow_mut().clear();
        std::mem::take(&mut *self.0.actors.borrow_mut()).len()
    }

    /// Stops all tasks.
    pub fn end(&self) {
        let tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
        drop(tasks);
        self.0.points.borrow_mut().clear();
        CURRENT.set(None);
    }

    // Tasks.

    /// A new actor.
    pub fn actor(&self, name: &str) -> ActorId {
        self.0.actors.borrow_mut().push(name.to_owned());
        self.0.actors.borrow().len() - 1
    }

    /// Starts a task of an actor. Only functions have a time limit.
    pub fn spawn(
        &self,
        actor: ActorId,
        name: String,
        limit: Option<u64>,
        future: impl Future<Output = ()> + 'static,
    ) {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let expires = limit.map_or(u64::MAX, |limit| self.0.clock.get() + limit);
        let (future, random, waits) = (Some(future.boxed_local()), hash(&name), Waits::default());
        self.0.tasks.borrow_mut().push(Task { name, actor, future, woken, waits, expires, random });
    }

    /// Stops the tasks of all other actors.
    pub fn keep_only(&self, actor: ActorId) {
        let mut tasks = self.0.tasks.borrow_mut();
        tasks.iter_mut().filter(|task| task.actor != actor).for_each(|task| task.future = None);
    }

    /// Whether no task goes on.
    pub fn is_over(&self) -> bool {
        self.0.tasks.borrow().iter().all(|task| task.future.is_none())
    }

    /// Starts a client of the API, or whatever else calls functions by itself.
    pub fn client<F: Future<Output = ()> + 'static>(&self, name: &str, work: impl FnOnce(Self) -> F) {
        let actor = self.actor(name);
        self.spawn(actor, name.to_owned(), None, work(self.clone()));
    }

    /// Fills the slice with bytes that depend on the running task and its earlier calls.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        let mut tasks = self.0.tasks.borrow_mut();
        let random = &mut tasks[self.0.running.get()].random;
        for byte in bytes {
            *byte = crate::chance::next(random).to_le_bytes()[0];
        }
    }

    /// The token of a transaction. The AWS clients draw it at random; here it depends on the task alone.
    pub fn token(&self, drawn: &str) -> String {
        let mut tokens = self.0.tokens.borrow_mut();
        if let Some(token) = tokens.get(drawn) {
            return token.clone();
        }
        let name = self.0.tasks.borrow()[self.0.running.get()].name.clone();
        let mut candidates = (0..).map(|number: u64| format!("{:016x}", hash(&(&name, number))));
        let is_new = |token: &String| !tokens.values().any(|known| known == token);
        let token = candidates.find(is_new).expect("a new token");
        tokens.insert(drawn.to_owned(), token.clone());
        token
    }

    /// The time, as the running task's clock shows it.
    pub fn local_time(&self) -> Timestamp {
        let now = Timestamp::from_unix_milliseconds(self.0.clock.get());
        let sweeping = self.0.tasks.borrow()[self.0.running.get()].name.contains("-sweep");
        if sweeping { now.plus_seconds(self.0.sweep_ahead) } else { now }
    }

    /// The records of the table's stream; `None` if the scenario does not read it.
    pub fn stream(&self) -> RefMut<'_, Option<Vec<Value>>> {
        self.0.stream.borrow_mut()
    }

    /// The table as it was some writes ago.
    pub fn replica(&self) -> RefMut<'_, Replica> {
        self.0.replica.borrow_mut()
    }

    /// From now on, a page of a query that has a limit has one item, as DynamoDB may return fewer than the limit.
    pub fn shorten_pages(&self) {
        self.0.short_pages.set(true);
    }

    /// Whether a page of a query that has a limit has one item.
    pub fn has_short_pages(&self) -> bool {
        self.0.short_pages.get()
    }

    /// The pages in the cache.
    pub fn pages(&self) -> RefMut<'_, Pages> {
        self.0.pages.borrow_mut()
    }

    /// An invalidation of the cache has failed: pages may be outdated until the stream is delivered.
    pub fn excuse_cache(&self) {
        self.0.cache_excused.set(true);
    }

    /// Whether an invalidation of the cache has failed.
    pub fn is_cache_excused(&self) -> bool {
        self.0.cache_excused.get()
    }

    /// Notes something that is wrong.
    pub fn find(&self, wrong: String) {
        self.0.findings.borrow_mut().push(wrong);
    }

    /// What was noted as wrong.
    pub fn findings(&self) -> Vec<String> {
        self.0.findings.borrow().clone()
    }

    /// The number of this run in its thread. Functions live longer than a run.
    pub fn run_number(&self) -> u64 {
        self.0.run
    }

    /// The number of steps so far that may have changed what a gate waits for.
    pub fn changes(&self) -> u64 {
        self.0.changes.get()
    }

    /// The status of each execution, by its name as a resource.
    pub fn executions(&self) -> RefMut<'_, BTreeMap<String, &'static str>> {
        self.0.executions.borrow_mut()
    }

    /// The time in milliseconds since 1970.
    pub fn clock(&self) -> u64 {
        self.0.clock.get()
    }

    // Points.

    fn point<T>(&self, label: String, kind: impl FnOnce(Sender<T>) -> Kind) -> Waiting<T> {
        let task = self.0.running.get();
        let (actor, waits) = {
            let task = &self.0.tasks.borrow()[task];
            (task.actor, task.waits.clone())
        };
        let (sender, waiting) = Waiting::new(waits);
        let kind = kind(sender);
        let mut access = match &kind {
            Kind::Request(sent, _) => sent.access(),
            Kind::Gate(gate) => Access { reads: gate.reads.clone(), writes: Vec::new() },
            _ => Access::default(),
        };
        let of_actor = &self.0.actors.borrow()[actor];
        let of_execution = of_actor.starts_with("execution ");
        if matches!(kind, Kind::Request(..)) && of_execution {
            // Its last request ends the execution.
            access.writes.push(of_actor.clone());
        }
        let by = match &self.0.tasks.borrow()[task].name {
            name if of_execution && name == of_actor => By::Execution,
            name if name.contains("-sweep") => By::Sweep,
            _ => By::Other,
        };
        let number = self.0.next_point.replace(self.0.next_point.get() + 1);
        self.0.points.borrow_mut().push(Point { number, task, actor, label, by, access, kind });
        waiting
    }

    /// Sends a request.
    pub fn send(&self, sent: Sent) -> Waiting<Reply> {
        self.point(sent.describe(), |sender| Kind::Request(sent, Some(sender)))
    }

    /// Invokes a function.
    pub fn invoke(&self, function: &'static str, event: Event) -> Waiting<Invoked> {
        self.point(format!("invoke {function}"), |sender| Kind::Invocation(function, event, sender))
    }

    /// Waits for a time to pass.
    pub fn wait_ms(&self, duration: u64) -> Waiting<()> {
        let due = self.clock() + duration;
        self.point(format!("{} s pass", duration / 1000), |sender| Kind::Timer(due, sender))
    }

    /// Waits for a condition on these resources; on anything if none are named.
    pub fn until(
        &self,
        what: &str,
        reads: Vec<String>,
        condition: impl Fn(&Self) -> bool + 'static,
    ) -> Waiting<()> {
        self.point(what.to_owned(), |sender| Kind::Gate(Gate::new(Rc::new(condition), reads, sender)))
    }

    /// What tasks wait for.
    pub fn points(&self) -> Ref<'_, Vec<Point>> {
        self.0.points.borrow()
    }

    /// Changes the world outside.
    pub fn outside(&self, what: &str, change: impl FnOnce(&Self) + 'static) -> Waiting<()> {
        self.point(what.to_owned(), |sender| Kind::Outside(Box::new(change), sender))
    }
}

/// The time at which simulations begin, in milliseconds since 1970.
fn beginning() -> u64 {
    samples::later(3600).unix_milliseconds()
}

/// A hash that is the same in every run.
pub fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
