//! Reads one case of statistics a line, as JSON, and writes one answer a line. docs/statistics.md has the format.
//!
//! `cargo run --release -p statistics --example experiment-statistics < cases.jsonl`

mod answer;
mod members;

fn main() -> std::io::Result<()> {
    answer::answer_lines(std::io::stdin().lock(), std::io::stdout().lock())
}
