//! Actors as automata. What an actor asks for next depends on the replies that it has received and on nothing else, so
//! its code runs once for each sequence of replies, however many schedules have it.

use super::{
    numbered::Numbered,
    worlds::{Request, Worlds},
};
use crate::{
    point::{Access, Condition, Fate, Kind, Point},
    run::Scenario,
    simulation::Simulation,
};
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};
use tests::World;

/// The number of a place.
pub type PlaceId = u32;

/// The number of an origin.
pub type OriginId = u32;

/// The most actors whose code is kept where it stopped. Another one that goes on there is run from its beginning.
const MOST_LIVE: usize = 2_000;

/// Where an actor comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A client of the scenario, by its number.
    Client(usize),
    /// An execution of a machine, with its input as JSON.
    Execution {
        /// Its name as a resource.
        resource: String,
        /// The machine.
        machine: String,
        /// The input.
        input: String,
    },
}

/// What happens to an actor: its first offer that can happen, its fate, and the number of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Move {
    /// The index of the offer.
    pub offer: usize,
    /// Its fate.
    pub fate: Fate,
    /// The number of the reply.
    pub reply: u32,
}

/// Something that an actor waits for.
pub struct Offer {
    /// The number of the point, in the actor's own simulation.
    point: u64,
    /// The resources that it reads and writes.
    pub access: Access,
    /// The faults that it can have.
    pub faults: Vec<Fate>,
    /// What it is.
    pub kind: OfferKind,
}

/// What an actor waits for.
pub enum OfferKind {
    /// A request.
    Request(Request),
    /// A condition, with its number.
    Gate(u32, Condition),
    /// The beginning of a function, or the passing of time.
    Own,
}

/// An actor after a sequence of moves.
pub struct Place {
    /// The actor.
    pub origin: OriginId,
    /// What it waits for, in the order in which it asked.
    pub offers: Vec<Offer>,
    /// Whether it has ended.
    pub is_over: bool,
    /// The execution's name and its status, if it ended with the last move.
    pub ended: Option<(String, &'static str)>,
    /// What a client found to be wrong.
    pub findings: Vec<String>,
    before: Option<(PlaceId, Move)>,
}

/// All actors, wherever they came.
pub struct Behaviours<'a> {
    scenario: &'a Scenario,
    /// A table for the clients to start on. Nobody reads it.
    table: Rc<World>,
    origins: Numbered<Origin>,
    first: HashMap<OriginId, PlaceId>,
    places: Vec<Rc<Place>>,
    next: HashMap<(PlaceId, Move), PlaceId>,
    live: HashMap<PlaceId, Simulation>,
    /// The keys of `live`, oldest first; some are gone.
    ages: VecDeque<PlaceId>,
    conditions: u32,
}

impl<'a> Behaviours<'a> {
    /// The actors of a scenario, before anything happens.
    pub fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            table: Rc::new(World::new()),
            origins: Numbered::default(),
            first: HashMap::new(),
            places: Vec::new(),
            next: HashMap::new(),
            live: HashMap::new(),
            ages: VecDeque::new(),
            conditions: 0,
        }
    }

    /// The number of places.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// A place.
    pub fn place(&self, id: PlaceId) -> Rc<Place> {
        Rc::clone(&self.places[index(id)])
    }

    /// The number of an origin.
    pub fn origin(&mut self, origin: Origin) -> OriginId {
        self.origins.number(origin)
    }

    /// An actor at its beginning.
    pub fn begin(&mut self, origin: OriginId, worlds: &mut Worlds) -> PlaceId {
        if let Some(place) = self.first.get(&origin) {
            return *place;
        }
        let simulation = self.start(origin);
        let place = self.add(origin, None, simulation, worlds);
        self.first.insert(origin, place);
        place
    }

    /// Where a move leads.
    pub fn after(&mut self, place: PlaceId, chosen: Move, worlds: &mut Worlds) -> PlaceId {
        if let Some(next) = self.next.get(&(place, chosen)) {
            return *next;
        }
        let simulation = self.live.remove(&place).unwrap_or_else(|| self.run_to(place, worlds));
        self.play(&simulation, place, chosen, worlds);
        let origin = self.places[index(place)].origin;
        let next = self.add(origin, Some((place, chosen)), simulation, worlds);
        self.next.insert((place, chosen), next);
        next
    }

    /// Starts the code of an actor.
    fn start(&self, origin: OriginId) -> Simulation {
        let simulation = Scenario::untimed_on(Rc::clone(&self.table));
        match &**self.origins.value(origin) {
            Origin::Client(number) => {
                (self.scenario.start)(&simulation, 0);
                simulation.keep_only(*number);
            }
            Origin::Execution { resource, machine, input } => {
                let input = serde_json::from_str(input).expect("an input is JSON");
                simulation.begin_execution(resource, machine, input);
            }
        }
        simulation.settle();
        simulation
    }

    /// Runs the code of an actor again, with the replies that led to a place.
    fn run_to(&self, place: PlaceId, worlds: &Worlds) -> Simulation {
        let mut moves = Vec::new();
        let mut at = place;
        while let Some((before, chosen)) = self.places[index(at)].before {
            moves.push((before, chosen));
            at = before;
        }
        let simulation = self.start(self.places[index(place)].origin);
        for (before, chosen) in moves.into_iter().rev() {
            self.play(&simulation, before, chosen, worlds);
        }
        simulation
    }

    fn play(&self, simulation: &Simulation, place: PlaceId, chosen: Move, worlds: &Worlds) {
        let offer = &self.places[index(place)].offers[chosen.offer];
        simulation.resume();
        simulation.happen_again(offer.point, chosen.fate, worlds.reply(chosen.reply));
        simulation.settle();
    }

    fn add(
        &mut self,
        origin: OriginId,
        before: Option<(PlaceId, Move)>,
        simulation: Simulation,
        worlds: &mut Worlds,
    ) -> PlaceId {
        let id = PlaceId::try_from(self.places.len()).expect("fewer places than numbers");
        let offers = simulation.points().iter().map(|point| self.offer(point, worlds)).collect();
        let ended = match &**self.origins.value(origin) {
            Origin::Execution { resource, .. } => {
                let status = simulation.executions()[resource];
                (status != "RUNNING").then(|| (resource.clone(), status))
            }
            Origin::Client(_) => None,
        };
        let (is_over, findings) = (simulation.is_over(), simulation.findings());
        self.places.push(Rc::new(Place { origin, offers, is_over, ended, findings, before }));
        if is_over {
            simulation.end();
            return id;
        }
        self.live.insert(id, simulation);
        self.ages.push_back(id);
        while self.live.len() > MOST_LIVE
            && let Some(oldest) = self.ages.pop_front()
        {
            if let Some(simulation) = self.live.remove(&oldest) {
                simulation.end();
            }
        }
        id
    }

    fn offer(&mut self, point: &Point, worlds: &mut Worlds) -> Offer {
        let kind = match &point.kind {
            Kind::Request(sent, _) => OfferKind::Request(worlds.request(sent)),
            Kind::Gate(gate) => {
                assert!(!gate.reads.is_empty(), "{}: on what does it depend?", point.label);
                self.conditions += 1;
                OfferKind::Gate(self.conditions, Rc::clone(&gate.condition))
            }
            Kind::Invocation(..) | Kind::Timer(..) => OfferKind::Own,
            Kind::Outside(..) => panic!("{}: not in an exhaustive search", point.label),
        };
        Offer { point: point.number, access: point.access.clone(), faults: point.faults().to_vec(), kind }
    }
}

impl Drop for Behaviours<'_> {
    fn drop(&mut self) {
        // A simulation and its tasks own each other.
        self.live.values().for_each(Simulation::end);
    }
}

fn index(id: PlaceId) -> usize {
    usize::try_from(id).expect("a number of a place")
}
