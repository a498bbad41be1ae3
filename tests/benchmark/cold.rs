//! Cold starts: the times from the start of a process to its first poll, and to its first answer.

use crate::{
    bare::Bare,
    dynamodb::{DynamoDb, TABLE},
    figures::{Figures, rounded},
    lambda::Function,
    operations::{Cache, OPERATIONS, Operation},
    programs::Programs,
    warm::ITEMS,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Default)]
struct Start {
    poll_wall: Figures,
    poll_cpu: Figures,
    answer_wall: Figures,
    answer_cpu: Figures,
}

impl Start {
    /// Measures the time to the first poll with TLS set up, as on AWS. After the poll, a function creates the table's
    /// client and opens a connection. The CPU time includes the client; the connection fails at once, because its
    /// endpoint is no URL.
    fn poll(&mut self, programs: &Programs, name: &str) {
        let environment = [("AWS_ENDPOINT_URL", "-"), ("TABLE_NAME", TABLE)];
        let function = Function::start(programs.of(name), &environment);
        self.poll_wall.add(function.polled());
        self.poll_cpu.add(function.pid().cpu_at_rest());
    }

    fn answer(&mut self, programs: &Programs, name: &str, environment: &[(&str, &str)], event: &Value) {
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
    let start = |operation: &Operation| DynamoDb::start(operation.world.items(ITEMS));
    let tables: Vec<_> = operations.iter().map(|operation| (start(operation), start(operation))).collect();
    let mut starts: BTreeMap<&str, Start> = BTreeMap::new();
    // The requests of each function's event, sent by a new process: wall-clock time and CPU time.
    let mut bare: BTreeMap<&str, (Figures, Figures)> = BTreeMap::new();
    for round in 0..rounds {
        for name in ["empty", "empty-stream"] {
            starts.entry(name).or_default().poll(programs, name);
        }
        for (operation, (table, twin)) in operations.iter().zip(&tables) {
            let name = operation.function;
            let event = (operation.event)(round, ITEMS);
            starts.entry(name).or_default().poll(programs, name);
            table.take_sent();
            let url = table.url();
            let environment = [("AWS_ENDPOINT_URL", url.as_str()), ("TABLE_NAME", TABLE)];
            starts.entry(name).or_default().answer(programs, name, &environment, &event);
            let (wall, cpu) = Bare::start(&twin.url(), None, operation.at_once)
                .send(&operation.floor(&event, table.take_sent()));
            let figures = bare.entry(name).or_default();
            figures.0.add(wall);
            figures.1.add(cpu);
            starts.entry(operation.empty).or_default().answer(programs, operation.empty, &[], &event);
        }
    }
    let empties = ["empty", "empty-stream"].map(|name| (name, name));
    let names = operations.iter().map(|operation| (operation.function, operation.empty)).chain(empties);
    names.filter_map(|(name, empty)| row(name, &starts, &starts[empty], bare.get(name), programs)).collect()
}

fn row(
    name: &str,
    starts: &BTreeMap<&str, Start>,
    empty: &Start,
    bare: Option<&(Figures, Figures)>,
    programs: &Programs,
) -> Option<Value> {
    let start = &starts[name];
    if start.answer_wall.is_empty() {
        return None;
    }
    let (bare_wall, bare_cpu) = bare.map_or((0.0, 0.0), |(wall, cpu)| (wall.median(), cpu.median()));
    let ms = |figures: &Figures| rounded(figures.median() / 1e3, 100.0);
    let ratio = |of: &Figures, floor: f64| rounded(of.median() / floor, 100.0);
    let (bytes, zipped) = programs.sizes(name);
    Some(json!({
        "function": name,
        "toFirstPoll": {
            "wallMs": ms(&start.poll_wall), "cpuMs": ms(&start.poll_cpu),
            "wallRatio": ratio(&start.poll_wall, empty.poll_wall.median()),
            "cpuRatio": ratio(&start.poll_cpu, empty.poll_cpu.median()),
        },
        "toFirstAnswer": {
            "wallMs": ms(&start.answer_wall), "cpuMs": ms(&start.answer_cpu),
            "bareWallMs": rounded(bare_wall / 1e3, 100.0), "bareCpuMs": rounded(bare_cpu / 1e3, 100.0),
            "wallRatio": ratio(&start.answer_wall, empty.answer_wall.median() + bare_wall),
            "cpuRatio": ratio(&start.answer_cpu, empty.answer_cpu.median() + bare_cpu),
        },
        "programBytes": bytes,
        "zipBytes": zipped,
    }))
}
