//! Reads one case of statistics a line, as JSON, and writes one answer a line. docs/statistics.md has the format.
//!
//! `cargo run --release -p statistics --example experiment-statistics < cases.jsonl`

mod answer;
mod members;

use std::io::{BufRead, Write};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if !line.trim().is_empty() {
            writeln!(out, "{}", answer::answer(&line))?;
            // A program that writes a case and waits for its answer must not wait for a full buffer.
            out.flush()?;
        }
    }
    Ok(())
}
