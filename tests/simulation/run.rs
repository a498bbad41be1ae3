//! Runs of a scenario: one of a seed, thousands of seeds, all orders up to a number of preemptions.

use crate::{
    chance::{Calm, Chance},
    lambda::Event,
    point::Chooser,
    search::{Bounds, Replay, Search, Wrong},
    simulation::{SWEEP_AFTER_SECONDS, Simulation},
};
use serde_json::{Value, json};
use std::{env, rc::Rc, time::Instant};
use tests::World;

/// The hours before each of them: as long as a sweep waits before it tries again what failed, and what was refused.
const LAST_SWEEP_PAUSES_HOURS: [u64; 6] = [1, 1, 1, 1, 25, 25];

/// With this number of seeds, a scenario reaches all that it is made for.
const ENOUGH_SEEDS: u64 = 200;

/// Clients, and what has to be true once nothing is left to happen.
pub struct Scenario {
    /// The name, for replays.
    pub name: &'static str,
    /// Fills the world and starts the clients. The number makes variations.
    pub start: fn(&Simulation, u64),
    /// The functions that run on a schedule.
    pub sweeps: &'static [&'static str],
    /// Whether an item is work for a sweep.
    pub is_unfinished: fn(&Value) -> bool,
    /// What is wrong, one line each.
    pub check: fn(&Simulation) -> Vec<String>,
    /// Parts of traces: each comes up in some run of [`ENOUGH_SEEDS`].
    pub reaches: &'static [&'static str],
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is left to happen.
    Quiet,
    /// The chooser abandoned it.
    Abandoned,
    /// It does not come to an end.
    Endless,
}

/// The result of a run.
pub struct Report {
    /// One line for each step.
    pub trace: String,
    /// What is wrong; empty if nothing is.
    pub wrong: Vec<String>,
}

impl Scenario {
    /// Runs it until nothing is left to happen, then the sweeps until they have finished everything, then checks the world. `None`
    /// if the chooser abandons the run.
    fn run(&self, simulation: &Simulation, variation: u64, chooser: &mut dyn Chooser) -> Option<Report> {
        (self.start)(simulation, variation);
        let wrong = match simulation.run(chooser) {
            Ending::Abandoned => None,
            Ending::Endless => Some(vec!["the run does not come to an end".to_owned()]),
            Ending::Quiet => Some(self.come_to_rest(simulation)),
        };
        let report = wrong.map(|wrong| Report { trace: simulation.trace().borrow().to_string(), wrong });
        simulation.end();
        report
    }

    /// Runs the sweeps until there is no work for them. Returns what is wrong then.
    pub fn come_to_rest(&self, simulation: &Simulation) -> Vec<String> {
        for hours in LAST_SWEEP_PAUSES_HOURS {
            if !simulation.world().items().iter().any(self.is_unfinished) {
                break;
            }
            simulation.pass_to(simulation.clock() + hours * 60 * 60 * 1000);
            for sweep in self.sweeps {
                simulation.client("last sweep", |simulation| async move {
                    simulation.invoke(sweep, Event::Step(json!({}))).await;
                });
            }
            if simulation.run(&mut Calm) != Ending::Quiet {
                return vec!["the sweeps do not come to an end".to_owned()];
            }
        }
        simulation.findings().into_iter().chain((self.check)(simulation)).collect()
    }

    /// The run of a seed.
    pub fn of_seed(&self, seed: u64) -> Report {
        let simulation = Simulation::new(1, 0);
        self.run(&simulation, seed, &mut Chance::new(seed)).expect("chance abandons no run")
    }

    /// Runs this number of seeds, or as many as `SOUK_SEEDS` says, and fails with the trace of the first that goes
    /// wrong.
    pub fn assert_holds(&self, seeds: u64) {
        if let Some(replay) = self.replay() {
            return self.show(&replay);
        }
        let seeds = number("SOUK_SEEDS").unwrap_or(seeds);
        let first = number("SOUK_FIRST_SEED").unwrap_or(1);
        let begun = Instant::now();
        let mut missing: Vec<&str> = self.reaches.to_vec();
        for seed in first..first + seeds {
            let report = self.of_seed(seed);
            missing.retain(|part| !report.trace.contains(part));
            assert!(report.wrong.is_empty(), "{}", self.describe(&report, &seed.to_string()));
        }
        println!("{}: {seeds} seeds in {:?}", self.name, begun.elapsed());
        assert!(missing.is_empty() || seeds < ENOUGH_SEEDS, "no run of {seeds} reaches {missing:?}");
    }

    /// Runs all orders with at most this number of preemptions, or as many as `SOUK_PREEMPTIONS` says, and with at most
    /// this number of faults, or as many as `SOUK_FAULTS` says.
    pub fn assert_holds_in_every_order(&self, preemptions: Option<u64>, faults: u64) {
        if let Some(replay) = self.replay() {
            return self.show(&replay);
        }
        let bounds = Bounds {
            preemptions: match env::var("SOUK_PREEMPTIONS").as_deref() {
                Ok("any") => None,
                _ => number("SOUK_PREEMPTIONS").or(preemptions),
            },
            faults: number("SOUK_FAULTS").unwrap_or(faults),
        };
        let begun = Instant::now();
        match Search::new(self, bounds).run() {
            Ok(seen) => println!("{}, {bounds}: {seen}, in {:?}", self.name, begun.elapsed()),
            Err(Wrong { lines, order, preemptions }) => {
                println!("{}: with {preemptions} preemptions, in {:?}", self.name, begun.elapsed());
                let mut replay = Replay::of(&order).expect("an order that the search wrote");
                let report = self.run(&Self::untimed(), 0, &mut replay);
                let trace = report.map(|report| report.trace).unwrap_or_default();
                panic!("{}", self.describe(&Report { trace, wrong: lines }, &order))
            }
        }
    }

    /// A world in which no time passes, and every order is old enough for the sweep.
    pub fn untimed() -> Simulation {
        Self::untimed_on(Rc::new(World::new()))
    }

    /// The same on this table.
    pub fn untimed_on(table: Rc<World>) -> Simulation {
        Simulation::of(table, 0, 10 * SWEEP_AFTER_SECONDS)
    }

    /// The seed or the order that `SOUK_REPLAY` names for this scenario.
    fn replay(&self) -> Option<String> {
        let replay = env::var("SOUK_REPLAY").ok()?;
        replay.strip_prefix(self.name)?.strip_prefix(':').map(str::to_owned)
    }

    /// Prints the trace of a replay, and fails if the run goes wrong.
    fn show(&self, replay: &str) {
        let report = if let Ok(seed) = replay.parse() {
            self.of_seed(seed)
        } else {
            let mut order = Replay::of(replay).expect("SOUK_REPLAY names a seed or an order");
            self.run(&Self::untimed(), 0, &mut order).expect("the order is that of a run")
        };
        println!("{}", report.trace);
        assert!(report.wrong.is_empty(), "{}", report.wrong.join("\n"));
    }

    fn describe(&self, report: &Report, replay: &str) -> String {
        let (name, wrong) = (self.name, report.wrong.join("\n"));
        let command =
            format!("SOUK_REPLAY={name}:{replay} cargo test --workspace --test simulation -- --nocapture");
        format!("{}\n\n{wrong}\n\nTo replay: {command}", report.trace)
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: a whole number")))
}
