//! The trace of a run: one line for each step.

use crate::point::{Fate, Kind, Point};
use std::fmt;

/// The steps of a run and the log of its functions, in order: the time of each, and what happened.
#[derive(Default)]
pub struct Trace(Vec<(u64, String)>);

impl Trace {
    /// Adds a step of a task at a time, in milliseconds since the run began.
    pub fn note(&mut self, time: u64, task: &str, point: &Point, fate: Fate) {
        let late = if matches!(point.kind, Kind::Request(_, None)) { "late: " } else { "" };
        let (task, label, fate) = (short(task), short(&point.label), fate.describe());
        self.0.push((time, format!("{task:<44}  {late}{label}: {fate}")));
    }

    /// Adds a line that a function logged, at the time of the last step.
    pub fn log(&mut self, line: &str) {
        let time = self.0.last().map_or(0, |(time, _)| *time);
        self.0.push((time, format!("log: {}", short(line))));
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = 1;
        for same in self.0.chunk_by(|(_, one), (_, next)| one == next) {
            let ((time, event), times) = (&same[0], same.len());
            let (seconds, ms) = (time / 1000, time % 1000);
            write!(f, "{number:>4} {seconds:>5}.{ms:03}  {event}")?;
            if times > 1 {
                write!(f, " (× {times})")?;
            }
            writeln!(f)?;
            number += times;
        }
        Ok(())
    }
}

/// The text with each id shortened to its last four digits.
fn short(text: &str) -> String {
    let is_id = |candidate: &str| [8, 13, 18, 23].iter().all(|dash| candidate.as_bytes()[*dash] == b'-');
    let mut shortened = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match rest.get(..36) {
            Some(candidate) if is_id(candidate) => {
                shortened.push('…');
                shortened.push_str(&candidate[32..]);
                rest = &rest[36..];
            }
            _ => {
                shortened.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    shortened
}
