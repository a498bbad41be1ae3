//! The benchmark: compares the release programs of functions with lower bounds.
//!
//! `tests/bench` builds and runs it; docs/benchmark.md explains it and contains its results.

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on ends")]

mod bare;
mod broker;
mod cache;
mod chart;
mod clickhouse;
mod cold;
mod data;
mod event_data;
mod event_floor;
mod figures;
mod growth;
mod http1;
mod lambda;
mod machine;
mod operations;
mod options;
mod peer;
mod process;
mod programs;
mod replay;
mod report;
mod server;
mod services;
mod warm;

use options::Options;
use programs::Programs;
use serde_json::{Value, json};
use std::{env, fs};
use tests::project;

/// Markers in docs/benchmark.md: the benchmark writes its results between them.
const BEGIN: &str = "<!-- written by tests/bench --docs -->\n";
const END: &str = "<!-- end -->\n";

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, url, broker, cache @ ..] = &words[..]
        && word == bare::WORD
    {
        return bare::run(url, broker, cache.first().map(String::as_str));
    }
    let options = Options::read(&words).unwrap_or_else(|error| {
        eprintln!("{error}\n{}", options::HELP);
        std::process::exit(2);
    });
    let report = measure(&options);
    if options.json {
        println!("{report:#}");
    } else {
        println!("{}", report::markdown(&report));
    }
    if options.docs {
        document(&report);
    }
}

fn measure(options: &Options) -> Value {
    let programs = Programs::find(&options.programs, &options.operations);
    if options.operations.iter().any(|operation| operation.function == operations::PEER) {
        peer::check(&programs);
    }
    let mut notes = Vec::new();
    let mut warm = Vec::new();
    let machine = machine::describe();
    eprintln!("cold starts");
    let cold = match options.cold {
        0 => Vec::new(),
        rounds => cold::measure(&options.operations, rounds, &programs),
    };
    for operation in options.operations.iter().filter(|_| options.rounds > 0) {
        eprintln!("{}", operation.name);
        match warm::measure(operation, options.rounds.div_ceil(operation.fewer), &programs) {
            Some(row) => warm.push(row),
            None => notes.push(format!("{}: not measured, there is no cache server.", operation.name)),
        }
    }
    let growth = match &options.growth[..] {
        [] => Vec::new(),
        sizes => growth::measure(&options.operations, sizes, options.growth_rounds, &programs),
    };
    json!({"machine": machine, "cold": cold, "warm": warm, "growth": growth, "notes": notes})
}

/// Writes tables and chart into the documentation.
fn document(report: &Value) {
    let docs = project::root().join("docs");
    let path = docs.join("benchmark.md");
    let text = fs::read_to_string(&path).expect("docs/benchmark.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("docs/benchmark.md says where the figures begin");
    let (_, after) = rest.split_once(END).expect("docs/benchmark.md says where the figures end");
    let text = format!("{before}{BEGIN}\n{}{END}{after}", report::markdown(report));
    fs::write(&path, text).expect("docs/benchmark.md can be written");
    if let Some(growth) = report["growth"].as_array().filter(|growth| !growth.is_empty()) {
        chart::draw(growth, &docs.join("growth.svg")).expect("the chart can be drawn");
    }
}
