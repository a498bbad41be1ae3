//! Cold starts: the times from the start of a process to its first poll, and to its first answer.

use crate::{
    bare::Bare,
    figures::{Figures, rounded},
    lambda::Function,
    operations::{Cache, OPERATIONS, Operation},
    programs::Programs,
    services::Services,
    warm::ITEMS,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Default, Clone)]
struct Start {
    poll_wall: Figures,
    poll_cpu: Figures,
    answer_wall: Figures,
    answer_cpu: Figures,
}

/// The lower bounds of a function's first answer.
#[derive(Default)]
struct Floor {
    /// The empty function with the same events.
    empty: Start,
    /// The requests of the function's event, sent by a new process.
    bare_wall: Figures,
    bare_cpu: Figures,
}

impl Start {
    /// Measures the time to the first poll with TLS set up, as on AWS. After the poll, a function creates the table's
    /// client and opens a connection. The CPU time includes the client; the connection fails at once, because its
    /// endpoint is no URL.
    fn poll(&mut self, programs: &Programs, name: &str) {
        let environment = ["AWS_ENDPOINT_URL", "CLICKHOUSE_URL", "KAFKA_BROKERS"];
        let environment = environment.map(|name| (name, "-".to_owned()));
        let function = Function::start(programs.of(name), &environment);
        self.poll_wall.add(function.polled());
        self.poll_cpu.add(function.pid().cpu_at_rest());
    }

    fn answer(&mut self, programs: &Programs, name: &str, environment: &[(&str, String)], event: &Value) {
        let function = Function::start(programs.of(name), environment);
        self.answer_wall.add(function.first_answer(event));
        self.answer_cpu.add(function.pid().cpu_at_rest());
    }
}

/// Measures each selected function `rounds` times, in turns.
pub fn measure(wanted: &[Operation], rounds: u32, programs: &Programs) -> Vec<Value> {
    let mut operations: Vec<Operation> = Vec::new();
    for operation in OPERATIONS {
        let known = operations.iter().any(|known| known.function == operation.function);
        let is_wanted = wanted.iter().any(|wanted| wanted.function == operation.function);
        if is_wanted && !known && operation.cache == Cache::Absent {
            operations.push(operation);
        }
    }
    let start = |operation: &Operation| Services::start(operation.world.items(ITEMS));
    let tables: Vec<_> = operations.iter().map(|operation| (start(operation), start(operation))).collect();
    let mut starts: BTreeMap<&str, Start> = BTreeMap::new();
    let mut floors: BTreeMap<&str, Floor> = BTreeMap::new();
    for round in 0..rounds {
        for name in ["empty", "empty-stream"] {
            starts.entry(name).or_default().poll(programs, name);
        }
        for (operation, (table, twin)) in operations.iter().zip(&tables) {
            let name = operation.function;
            let event = (operation.event)(round, ITEMS);
            starts.entry(name).or_default().poll(programs, name);
            table.take_sent();
            starts.entry(name).or_default().answer(programs, name, &table.environment(), &event);
            let (wall, cpu) =
                Bare::start(twin, None, operation.at_once).send(&operation.floor(&event, table.take_sent()));
            let floor = floors.entry(name).or_default();
            floor.bare_wall.add(wall);
            floor.bare_cpu.add(cpu);
            floor.empty.answer(programs, operation.empty, &[], &event);
        }
    }
    let mut rows: Vec<Value> = operations
        .iter()
        .map(|operation| {
            let name = operation.function;
            row(name, &starts[name], &starts[operation.empty], &floors[name], programs)
        })
        .collect();
    for name in ["empty", "empty-stream"] {
        // Its own floor, with the event of the first function that it is the floor of.
        let Some(of) = operations.iter().find(|operation| operation.empty == name) else { continue };
        let answered = &floors[of.function].empty;
        let poll = starts[name].clone();
        let start = Start {
            answer_wall: answered.answer_wall.clone(),
            answer_cpu: answered.answer_cpu.clone(),
            ..poll
        };
        let floor = Floor { empty: start.clone(), ..Floor::default() };
        rows.push(row(name, &start, &start, &floor, programs));
    }
    rows
}

fn row(name: &str, start: &Start, empty: &Start, floor: &Floor, programs: &Programs) -> Value {
    let bare = |figures: &Figures| if figures.is_empty() { 0.0 } else { figures.median() };
    let (bare_wall, bare_cpu) = (bare(&floor.bare_wall), bare(&floor.bare_cpu));
    let ms = |figures: &Figures| rounded(figures.median() / 1e3, 100.0);
    let ratio = |of: &Figures, floor: f64| rounded(of.median() / floor, 100.0);
    let (bytes, zipped) = programs.sizes(name);
    json!({
        "function": name,
        "toFirstPoll": {
            "wallMs": ms(&start.poll_wall), "cpuMs": ms(&start.poll_cpu),
            "wallRatio": ratio(&start.poll_wall, empty.poll_wall.median()),
            "cpuRatio": ratio(&start.poll_cpu, empty.poll_cpu.median()),
        },
        "toFirstAnswer": {
            "wallMs": ms(&start.answer_wall), "cpuMs": ms(&start.answer_cpu),
            "bareWallMs": rounded(bare_wall / 1e3, 100.0), "bareCpuMs": rounded(bare_cpu / 1e3, 100.0),
            "wallRatio": ratio(&start.answer_wall, floor.empty.answer_wall.median() + bare_wall),
            "cpuRatio": ratio(&start.answer_cpu, floor.empty.answer_cpu.median() + bare_cpu),
        },
        "programBytes": bytes,
        "zipBytes": zipped,
    })
}
