//! The table as it was some writes ago, for reads that are not consistent.

use serde_json::{Value, json};
use std::collections::VecDeque;
use tests::{TABLE_NAME, World};

/// A write is visible after this number of milliseconds at the latest.
const LATEST_MS: u64 = 5_000;

/// A copy of the table, and the writes that it lacks.
#[derive(Default)]
pub struct Replica {
    /// The items before the first write.
    first: Option<Vec<Value>>,
    copy: Option<World>,
    /// The time, the operation and the body of each write that the copy lacks, oldest first.
    missing: VecDeque<(u64, String, Value)>,
}

impl Replica {
    /// Notes a write that is about to be carried out.
    pub fn note(&mut self, table: &World, now: u64, operation: &str, body: &Value) {
        self.first.get_or_insert_with(|| table.items());
        self.missing.push_back((now, operation.to_owned(), body.clone()));
    }

    /// The copy, which lacks this number of writes at most. `None` before the first write.
    pub fn lagging(&mut self, now: u64, writes: usize) -> Option<&World> {
        let first = self.first.as_ref()?;
        let copy = self.copy.get_or_insert_with(|| {
            let copy = World::new();
            for item in first {
                copy.wire.carry_out("PutItem", json!({"TableName": TABLE_NAME, "Item": item}));
            }
            copy
        });
        while let Some((at, ..)) = self.missing.front()
            && (self.missing.len() > writes || at + LATEST_MS < now)
            && let Some((_, operation, body)) = self.missing.pop_front()
        {
            // What was refused then is refused again.
            copy.wire.carry_out(&operation, body);
        }
        Some(copy)
    }
}
