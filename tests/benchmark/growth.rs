//! Latency of the same operation on tables of different sizes.

use crate::{
    data::World,
    figures::{Figures, rounded},
    lambda::Function,
    operations::{Cache, Operation},
    programs::Programs,
    services::Services,
};
use serde_json::{Value, json};
use std::{sync::mpsc::sync_channel, thread, time::Instant};

/// Measures each operation `rounds` times at each size, the sizes in turns.
pub fn measure(wanted: &[Operation], sizes: &[u32], rounds: u32, programs: &Programs) -> Vec<Value> {
    let mut rows = Vec::new();
    for world in [World::Products, World::Concerts] {
        let operations = wanted
            .iter()
            .filter(|wanted| wanted.grows && wanted.world == world && wanted.cache == Cache::Absent);
        let operations: Vec<_> = operations.collect();
        if operations.is_empty() {
            continue;
        }
        let tables: Vec<_> = sizes.iter().map(|size| (*size, load(world, *size))).collect();
        rows.extend(operations.into_iter().map(|operation| row(operation, &tables, rounds, programs)));
    }
    rows
}

/// Loads a table. Items are made in a second thread while the engine imports earlier ones.
fn load(world: World, size: u32) -> Services {
    let began = Instant::now();
    let table = thread::scope(|scope| {
        let (made, to_import) = sync_channel(8);
        scope.spawn(move || world.items(size).try_for_each(|items| made.send(items)));
        Services::start(to_import)
    });
    eprintln!("loaded {size} in {:.0?}", began.elapsed());
    table
}

fn row(operation: &Operation, tables: &[(u32, Services)], rounds: u32, programs: &Programs) -> Value {
    let start = |(size, table): &(u32, Services)| {
        let function = Function::start(programs.of(operation.function), &table.environment());
        function.polled();
        (*size, function, Figures::default())
    };
    let mut functions: Vec<_> = tables.iter().map(start).collect();
    let warm_up = rounds / 5;
    for number in 0..warm_up + rounds {
        for (size, function, figures) in &mut functions {
            let (took, answer) = function.invoke(&(operation.event)(number, *size));
            operation.check(&answer);
            if number >= warm_up {
                figures.add(took);
            }
        }
    }
    let p50 = |(size, _, figures): &(u32, Function, Figures)| json!({"size": size, "p50Us": rounded(figures.median(), 10.0)});
    let (first, last) = (&functions[0].2, &functions[functions.len() - 1].2);
    json!({
        "operation": operation.name,
        "sizes": functions.iter().map(p50).collect::<Vec<_>>(),
        "ratio": rounded(last.median() / first.median(), 100.0),
    })
}
