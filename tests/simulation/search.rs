//! Exhaustive schedules: all orders of the requests, with at most a number of preemptions or with any number
//! (Musuvathi and Qadeer, Iterative Context Bounding, <https://doi.org/10.1145/1250734.1250785>), without faults or with
//! at most a number of them.
//!
//! An actor goes on until it waits for another one; from there, every other actor may go on. In addition, an actor may
//! be preempted before a request to a resource that another actor uses too.
//!
//! A schedule is not run from its beginning. A state is the world and the place of each actor in its code, and the search
//! goes from state to state. A request depends on the resources that it names alone, and an actor on the replies that it
//! has received alone: an actor has no other input, since no time passes for others while it waits, and ids depend on the
//! invocation. So `worlds` computes what a request does once for each content of its resources, `behaviours` runs the code
//! of an actor once for each sequence of replies, and a step of the search combines what is known.

mod behaviours;
mod numbered;
mod replay;
mod worlds;

use crate::{
    execution,
    network::Sent,
    point::{Access, Fate},
    run::Scenario,
};
use behaviours::{Behaviours, Move, OfferKind, Origin, OriginId, PlaceId};
pub use replay::Replay;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    fmt,
    rc::Rc,
};
use worlds::{WorldId, Worlds};

/// A schedule with more steps than these does not come to an end.
const MOST_STEPS: usize = 1_000;

/// The faults of an exhaustive search.
const FAULTS: [Fate; 3] = [Fate::LoseAnswer, Fate::Crash, Fate::CrashAfter];

/// How far a search goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most preemptions of a schedule; `None`: any number.
    pub preemptions: Option<u64>,
    /// The most faults of a schedule.
    pub faults: u64,
}

/// A schedule that goes wrong.
pub struct Wrong {
    /// What is wrong, one line each.
    pub lines: Vec<String>,
    /// The steps, by which the schedule can be replayed.
    pub order: String,
    /// The number of its preemptions.
    pub preemptions: u64,
}

/// What a search has seen.
#[derive(Default)]
pub struct Seen {
    states: usize,
    steps: usize,
    /// The hashes of the worlds in which nothing was left to happen.
    ends: HashSet<u64>,
    requests: usize,
    places: usize,
}

/// A state of the world and of all actors that go on.
#[derive(Clone)]
struct State {
    world: WorldId,
    /// In the order of their origins' numbers.
    actors: Vec<(OriginId, PlaceId)>,
    running: Option<OriginId>,
    preemptions: u64,
    faults: u64,
    /// The step that led here.
    step: Option<usize>,
    depth: usize,
}

/// What makes two states equal: one that was reached before with as few preemptions is not explored again.
type Key = (WorldId, Vec<PlaceId>, Option<OriginId>, u64);

/// A step, for replays.
struct Step {
    before: Option<usize>,
    actor: OriginId,
    fate: Fate,
    begun: Option<OriginId>,
}

/// An actor that can go on, by its index, and its offer.
type Choice = (usize, usize);

/// Who uses a resource.
#[derive(Default)]
struct Resource {
    readers: BTreeSet<OriginId>,
    writers: BTreeSet<OriginId>,
}

/// A search through the schedules of a scenario.
pub struct Search<'a> {
    scenario: &'a Scenario,
    bounds: Bounds,
    worlds: Worlds,
    behaviours: Behaviours<'a>,
    resources: BTreeMap<String, Resource>,
    /// The resources that more than one actor uses and one of them changes.
    shared: HashSet<String>,
    /// Whether another resource was found to be shared, so that there are more preemptions.
    found: bool,
    reached: HashSet<Key>,
    /// The states to explore, those with the fewest preemptions first.
    next: VecDeque<State>,
    steps: Vec<Step>,
    quiet: HashSet<WorldId>,
    ends: HashSet<u64>,
    /// The number of clients, whose origins have the first numbers.
    clients: u32,
    wrong: Option<Wrong>,
}

impl<'a> Search<'a> {
    /// A search that has seen nothing.
    pub fn new(scenario: &'a Scenario, bounds: Bounds) -> Self {
        let (resources, shared, reached, next, steps, quiet, ends) = Default::default();
        let simulation = Scenario::untimed();
        Self {
            scenario,
            bounds,
            worlds: Worlds::new(simulation),
            behaviours: Behaviours::new(scenario),
            resources,
            shared,
            found: false,
            reached,
            next,
            steps,
            quiet,
            ends,
            clients: 0,
            wrong: None,
        }
    }

    /// Explores all schedules, or stops at the first that goes wrong: one with the fewest preemptions, if these are bounded.
    pub fn run(mut self) -> Result<Seen, Wrong> {
        let (world, clients) = self.worlds.begin(self.scenario);
        self.clients = OriginId::try_from(clients).expect("few clients");
        let mut actors = Vec::new();
        for client in 0..clients {
            let origin = self.behaviours.origin(Origin::Client(client));
            actors.push((origin, self.behaviours.begin(origin, &mut self.worlds)));
        }
        let first = State { world, actors, running: None, preemptions: 0, faults: 0, step: None, depth: 0 };
        loop {
            self.reached.clear();
            self.steps.clear();
            self.next = VecDeque::from([first.clone()]);
            while let Some(state) = self.next.pop_front() {
                self.explore(state);
                if let Some(wrong) = self.wrong {
                    return Err(wrong);
                }
                if self.found {
                    break;
                }
            }
            if !std::mem::take(&mut self.found) {
                break;
            }
        }
        Ok(Seen {
            states: self.reached.len(),
            steps: self.steps.len(),
            ends: self.ends,
            requests: self.worlds.effects(),
            places: self.behaviours.len(),
        })
    }

    /// Goes on from a state as far as there is only one step, and adds the states after it.
    fn explore(&mut self, mut state: State) {
        loop {
            let choices = self.choices(&state);
            let Some(first) = choices.first().copied() else { return self.check(&state) };
            if state.depth > MOST_STEPS {
                return self.fail(&state, vec!["the schedule does not come to an end".to_owned()]);
            }
            let goes_on = state.running.is_some_and(|running| state.actors[first.0].0 == running);
            if choices.len() > 1 || self.is_shared(&state, first) {
                let bounded = self.bounds.preemptions.is_some();
                let places = state.actors.iter().map(|(_, place)| *place).collect();
                let running = state.running.filter(|_| bounded && goes_on);
                if !self.reached.insert((state.world, places, running, state.faults)) {
                    return;
                }
            }
            for choice in &choices {
                self.add_faults(&state, *choice, goes_on && *choice != first);
            }
            for choice in choices.iter().skip(1) {
                self.add(&state, *choice, Fate::Proceed, goes_on);
            }
            state = self.apply(&state, first, Fate::Proceed, false);
            if self.wrong.is_some() || self.found {
                return;
            }
        }
    }

    /// What can happen: the running actor, if it can go on, then the others, each by its first offer.
    fn choices(&mut self, state: &State) -> Vec<Choice> {
        let running = state.running.and_then(|running| {
            let index = state.actors.iter().position(|(origin, _)| *origin == running)?;
            self.first(state, index)
        });
        let may_preempt = self.bounds.preemptions.is_none_or(|most| state.preemptions < most);
        if let Some(choice) = running
            && (!may_preempt || !self.is_shared(state, choice))
        {
            return vec![choice];
        }
        let others = 0..state.actors.len();
        let others: Vec<Choice> = others
            .filter(|index| Some(state.actors[*index].0) != state.running)
            .filter_map(|index| self.first(state, index))
            .collect();
        running.into_iter().chain(others).collect()
    }

    /// The first offer of an actor that can happen.
    fn first(&mut self, state: &State, index: usize) -> Option<Choice> {
        let place = self.behaviours.place(state.actors[index].1);
        let offer = place.offers.iter().position(|offer| match &offer.kind {
            OfferKind::Gate(number, condition) => {
                self.worlds.is_true(state.world, *number, &offer.access.reads, condition)
            }
            _ => true,
        });
        offer.map(|offer| (index, offer))
    }

    fn is_shared(&self, state: &State, (index, offer): Choice) -> bool {
        let place = self.behaviours.place(state.actors[index].1);
        let Access { reads, writes } = &place.offers[offer].access;
        reads.iter().chain(writes).any(|name| self.shared.contains(name))
    }

    fn add_faults(&mut self, state: &State, choice: Choice, preempts: bool) {
        if state.faults == self.bounds.faults {
            return;
        }
        let place = self.behaviours.place(state.actors[choice.0].1);
        for fate in FAULTS {
            if place.offers[choice.1].faults.contains(&fate) {
                self.add(state, choice, fate, preempts);
            }
        }
    }

    fn add(&mut self, state: &State, choice: Choice, fate: Fate, preempts: bool) {
        let after = self.apply(state, choice, fate, preempts);
        if preempts {
            self.next.push_back(after);
        } else {
            self.next.push_front(after);
        }
    }

    /// The state after a step.
    fn apply(&mut self, before: &State, (index, offer): Choice, fate: Fate, preempts: bool) -> State {
        let mut state = before.clone();
        let (origin, place) = state.actors[index];
        let offered = Rc::clone(&self.behaviours.place(place));
        let offered = &offered.offers[offer];
        self.record(origin, &offered.access);
        let (mut reply, mut begun) = (self.worlds.no_reply(), None);
        if let OfferKind::Request(request) = &offered.kind {
            let resource;
            (state.world, reply, resource) = self.worlds.carry_out(state.world, request, fate);
            begun = resource.map(|resource| self.behaviours.origin(execution_begun(&request.sent, resource)));
        }
        let place = self.behaviours.after(place, Move { offer, fate, reply }, &mut self.worlds);
        let reached = self.behaviours.place(place);
        if let Some((resource, status)) = &reached.ended {
            state.world = self.worlds.end_execution(state.world, resource, status);
        }
        if reached.is_over {
            state.actors.remove(index);
        } else {
            state.actors[index].1 = place;
        }
        if let Some(execution) = begun {
            let place = self.behaviours.begin(execution, &mut self.worlds);
            state.actors.push((execution, place));
            state.actors.sort_unstable();
        }
        self.steps.push(Step { before: before.step, actor: origin, fate, begun });
        state.step = Some(self.steps.len() - 1);
        state.depth += 1;
        state.running = Some(origin);
        state.preemptions += u64::from(preempts);
        state.faults += u64::from(fate != Fate::Proceed);
        if !reached.findings.is_empty() {
            self.fail(&state, reached.findings.clone());
        }
        state
    }

    fn record(&mut self, actor: OriginId, Access { reads, writes }: &Access) {
        for (names, writes) in [(reads, false), (writes, true)] {
            for name in names {
                if !self.resources.contains_key(name) {
                    self.resources.insert(name.clone(), Resource::default());
                }
                let resource = self.resources.get_mut(name).expect("a resource");
                let users = if writes { &mut resource.writers } else { &mut resource.readers };
                if users.insert(actor)
                    && !resource.writers.is_empty()
                    && resource.readers.union(&resource.writers).count() > 1
                {
                    self.found |= self.shared.insert(name.clone());
                }
            }
        }
    }

    fn check(&mut self, state: &State) {
        if self.quiet.insert(state.world) {
            let (end, wrong) = self.worlds.check(state.world, self.scenario);
            self.ends.insert(end);
            if !wrong.is_empty() {
                self.fail(state, wrong);
            }
        }
    }

    fn fail(&mut self, state: &State, lines: Vec<String>) {
        let mut steps = Vec::new();
        let mut at = state.step;
        while let Some(step) = at {
            steps.push(&self.steps[step]);
            at = self.steps[step].before;
        }
        steps.reverse();
        // In a run, actors have numbers in the order in which they begin.
        let begun = steps.iter().filter_map(|step| step.begun);
        let actors: Vec<OriginId> = (0..self.clients).chain(begun).collect();
        let number = |origin| actors.iter().position(|actor| *actor == origin).expect("an actor has begun");
        let order = replay::order(steps.iter().map(|step| (number(step.actor), step.fate)));
        self.wrong = Some(Wrong { lines, order, preemptions: state.preemptions });
    }
}

/// The execution that a request has begun.
fn execution_begun(sent: &Sent, resource: String) -> Origin {
    let Sent::Machines { body, .. } = sent else { panic!("only Step Functions begin executions") };
    let (machine, _) = execution::execution_of(body);
    let input = body["input"].as_str().expect("an input").to_owned();
    Origin::Execution { resource, machine: machine.to_owned(), input }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.preemptions {
            Some(most) => write!(f, "at most {most} preemptions and {} faults", self.faults),
            None => write!(f, "any preemptions and at most {} faults", self.faults),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, ends, requests, places } = self;
        let ends = ends.len();
        write!(
            f,
            "{states} states, {steps} steps between them, {ends} ends (run: {requests} requests, {places} places)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chance,
        orders::ONE_CUSTOMER,
        point::{Chooser, Point},
        simulation::Simulation,
    };

    /// Any actor goes on at each step.
    struct Shuffle(u64);

    impl Chooser for Shuffle {
        fn choose(&mut self, _: &Simulation, points: &[&Point]) -> Option<(usize, Fate)> {
            let actors: BTreeSet<_> = points.iter().map(|point| point.actor).collect();
            let chosen = usize::try_from(chance::next(&mut self.0) % 1_000).unwrap() % actors.len();
            let chosen = actors.into_iter().nth(chosen)?;
            let index = points.iter().position(|point| point.actor == chosen)?;
            Some((index, Fate::Proceed))
        }
    }

    #[test]
    fn a_search_comes_to_the_end_of_every_run() {
        let bounds = Bounds { preemptions: None, faults: 0 };
        let seen = Search::new(&ONE_CUSTOMER, bounds).run().ok().expect("no schedule goes wrong");
        let mut ends = HashSet::new();
        for seed in 1..=100 {
            let simulation = Scenario::untimed();
            (ONE_CUSTOMER.start)(&simulation, 0);
            simulation.run(&mut Shuffle(seed));
            ends.insert(simulation.state());
            simulation.end();
        }
        assert!(ends.len() > 1, "runs come to one end only");
        assert!(ends.is_subset(&seen.ends), "{seen}, and {} ends of runs", ends.union(&seen.ends).count());
    }
}
