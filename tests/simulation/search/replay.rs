//! A schedule as a text: `0x4,2!Crash,2x1` is four steps of actor 0, a crash at a step of actor 2, and one more step.

use crate::{
    chance::Calm,
    point::{ActorId, Chooser, Fate, Point},
    simulation::Simulation,
};
use std::collections::VecDeque;

/// Steps as a text.
pub fn order(steps: impl Iterator<Item = (ActorId, Fate)>) -> String {
    let steps: Vec<(ActorId, Fate)> = steps.collect();
    let parts = steps.chunk_by(|one, next| one == next).map(|same| match same[0] {
        (actor, Fate::Proceed) => format!("{actor}x{}", same.len()),
        (actor, fate) => vec![format!("{actor}!{fate:?}"); same.len()].join(","),
    });
    parts.collect::<Vec<_>>().join(",")
}

/// A run whose steps are known.
pub struct Replay(VecDeque<(ActorId, Fate)>);

impl Replay {
    /// Reads the steps as [`order`] writes them.
    pub fn of(text: &str) -> Option<Self> {
        let mut steps = VecDeque::new();
        for part in text.split(',') {
            if let Some((actor, fate)) = part.split_once('!') {
                let fate = super::FAULTS.into_iter().find(|known| format!("{known:?}") == fate)?;
                steps.push_back((actor.parse().ok()?, fate));
            } else {
                let (actor, count) = part.split_once('x')?;
                let step = (actor.parse().ok()?, Fate::Proceed);
                steps.extend(std::iter::repeat_n(step, count.parse().ok()?));
            }
        }
        Some(Self(steps))
    }
}

impl Chooser for Replay {
    fn choose(&mut self, simulation: &Simulation, points: &[&Point]) -> Option<(usize, Fate)> {
        let Some((actor, fate)) = self.0.pop_front() else { return Calm.choose(simulation, points) };
        let index = points.iter().position(|point| point.actor == actor)?;
        Some((index, fate))
    }
}
