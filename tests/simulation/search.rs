//! Exhaustive schedules: all orders of the requests with at most a number of preemptions, without faults
//! (Musuvathi and Qadeer, Iterative Context Bounding, <https://doi.org/10.1145/1250734.1250785>).
//!
//! An actor goes on until it waits for another one; from there, every other actor may go on. In addition, an actor may
//! be preempted before a request to a resource that another actor uses too, this number of times in a run. A state that
//! was reached before, with as many preemptions left, is not explored again: the same world, and the same answers to
//! each actor that goes on.

use crate::{
    point::{ActorId, Chooser, Fate, Point},
    simulation::Simulation,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// The decisions of one run: the option that was taken, and the number of options.
type Decisions = Vec<(usize, usize)>;

/// The state of a search, from one run to the next.
pub struct Search {
    most_preemptions: usize,
    /// The decisions that the next run repeats.
    prefix: Vec<usize>,
    /// For each state that was reached: the smallest number of preemptions so far.
    reached: HashMap<u64, usize>,
    /// The resources that more than one actor uses and one of them changes.
    shared: BTreeSet<String>,
    /// Whether a run found a resource to be shared.
    found: bool,
}

/// One run of a search.
pub struct Schedule<'a> {
    search: &'a mut Search,
    decisions: Decisions,
    preemptions: usize,
    running: Option<ActorId>,
    /// The actors in their order, each with its number of steps.
    order: Vec<(ActorId, usize)>,
    resources: BTreeMap<String, Resource>,
}

/// Who uses a resource.
#[derive(Default)]
struct Resource {
    readers: BTreeSet<ActorId>,
    writers: BTreeSet<ActorId>,
}

impl Search {
    /// A search through all runs with at most this number of preemptions.
    pub fn new(most_preemptions: usize) -> Self {
        let (prefix, reached, shared) = Default::default();
        Self { most_preemptions, prefix, reached, shared, found: false }
    }

    /// The next run.
    pub fn schedule(&mut self) -> Schedule<'_> {
        let (decisions, order, resources) = Default::default();
        Schedule { search: self, decisions, preemptions: 0, running: None, order, resources }
    }
}

impl Schedule<'_> {
    /// The order of the actors, by which the run can be replayed: `0x4,2x1` is four steps of actor 0 and one of actor 2.
    pub fn order(&self) -> String {
        let order = self.order.iter().map(|(actor, steps)| format!("{actor}x{steps}"));
        order.collect::<Vec<_>>().join(",")
    }

    /// Prepares the next run. Returns whether there is one.
    pub fn advance(self) -> bool {
        let Self { search, mut decisions, resources, .. } = self;
        for (name, Resource { readers, writers, .. }) in resources {
            let used = readers.union(&writers).count();
            if used > 1 && !writers.is_empty() {
                search.found |= search.shared.insert(name);
            }
        }
        if std::mem::take(&mut search.found) {
            // There are more points at which an actor may be preempted.
            search.reached.clear();
            search.prefix.clear();
            return true;
        }
        while let Some((taken, options)) = decisions.pop() {
            if taken + 1 < options {
                search.prefix = decisions.iter().map(|(taken, _)| *taken).chain([taken + 1]).collect();
                return true;
            }
        }
        false
    }

    fn is_shared(&self, point: &Point) -> bool {
        point.access.reads.iter().chain(&point.access.writes).any(|name| self.search.shared.contains(name))
    }

    /// The options: the running actor, if it can go on, then the others, each by its first point.
    fn options(&self, points: &[&Point]) -> Vec<usize> {
        let first = |actor| points.iter().position(|point| point.actor == actor);
        let going_on = self.running.and_then(first);
        if let Some(index) = going_on
            && (!self.is_shared(points[index]) || self.preemptions == self.search.most_preemptions)
        {
            return vec![index];
        }
        let actors: BTreeSet<ActorId> = points.iter().map(|point| point.actor).collect();
        let others = actors.into_iter().filter(|actor| Some(*actor) != self.running).filter_map(first);
        going_on.into_iter().chain(others).collect()
    }

    fn record(&mut self, point: &Point) {
        for name in &point.access.reads {
            self.resources.entry(name.clone()).or_default().readers.insert(point.actor);
        }
        for name in &point.access.writes {
            self.resources.entry(name.clone()).or_default().writers.insert(point.actor);
        }
    }

    /// Whether an earlier run went on from this state with as many preemptions left.
    fn was_explored(&mut self, simulation: &Simulation, going_on: Option<ActorId>) -> bool {
        let state = simulation.state(going_on);
        let before = self.search.reached.get(&state);
        if before.is_some_and(|preemptions| *preemptions <= self.preemptions) {
            return true;
        }
        self.search.reached.insert(state, self.preemptions);
        false
    }
}

impl Chooser for Schedule<'_> {
    fn choose(&mut self, simulation: &Simulation, points: &[&Point]) -> Option<(usize, Fate)> {
        let going_on = self.running.filter(|running| points.iter().any(|point| point.actor == *running));
        let options = self.options(points);
        let repeated = self.search.prefix.get(self.decisions.len()).copied();
        let matters = options.len() > 1 || self.is_shared(points[options[0]]);
        if repeated.is_none() && matters && self.was_explored(simulation, going_on) {
            return None;
        }
        let taken = if options.len() > 1 { repeated.unwrap_or_default() } else { 0 };
        if options.len() > 1 {
            self.decisions.push((taken, options.len()));
        }
        let point = points[options[taken]];
        if going_on.is_some_and(|actor| actor != point.actor) {
            self.preemptions += 1;
        }
        self.running = Some(point.actor);
        match self.order.last_mut() {
            Some((actor, steps)) if *actor == point.actor => *steps += 1,
            _ => self.order.push((point.actor, 1)),
        }
        self.record(point);
        Some((options[taken], Fate::Proceed))
    }
}

/// A run that was recorded as an order of its actors.
pub struct Replay(VecDeque<(ActorId, usize)>);

impl Replay {
    /// Reads an order as [`Schedule::order`] writes it.
    pub fn of(order: &str) -> Option<Self> {
        let part = |part: &str| {
            let (actor, steps) = part.split_once('x')?;
            Some((actor.parse().ok()?, steps.parse().ok()?))
        };
        order.split(',').map(part).collect::<Option<_>>().map(Self)
    }
}

impl Chooser for Replay {
    fn choose(&mut self, _: &Simulation, points: &[&Point]) -> Option<(usize, Fate)> {
        let (actor, steps) = self.0.front_mut()?;
        let index = points.iter().position(|point| point.actor == *actor)?;
        *steps -= 1;
        if *steps == 0 {
            self.0.pop_front();
        }
        Some((index, Fate::Proceed))
    }
}
