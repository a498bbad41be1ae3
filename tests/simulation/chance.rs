//! Random schedules: a seed decides which task goes on, and what happens at its request.

use crate::{
    point::{ActorId, Chooser, Fate, Point},
    simulation::{Simulation, hash},
};

/// The next number of a generator (SplitMix64, <https://doi.org/10.1145/2714064.2660195>).
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One in this number of functions is weak, in a run that has weak functions.
const WEAK_PARTS: u64 = 8;

/// How often an invocation of a weak function has a fault, in per mille: often enough to use up all its retries.
const WEAK_FAULTY: u64 = 850;

/// Choices by a seed.
pub struct Chance {
    state: u64,
    /// How often an actor goes on at once, in per cent.
    stays: u64,
    /// How often a request has a fault, in per mille.
    faulty: u64,
    /// The number of faults that are left.
    faults: u32,
    /// The functions of which most invocations fail, by a part of a hash of their names.
    weak: Option<u64>,
    last: Option<ActorId>,
}

impl Chance {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Self {
        let mut chance = Self { state: seed, stays: 0, faulty: 0, faults: 12, weak: None, last: None };
        chance.stays = [0, 50, 90][chance.below(3)];
        chance.faulty = [0, 10, 50, 200][chance.below(4)];
        if chance.happens(1, 3) {
            chance.weak = Some(next(&mut chance.state) % WEAK_PARTS);
            chance.faults = 30;
        }
        chance
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a small number");
        usize::try_from(next(&mut self.state) % end).expect("a small number")
    }

    fn happens(&mut self, parts: u64, of: u64) -> bool {
        next(&mut self.state) % of < parts
    }

    /// One of the points. Timers are rare while anything else can happen, since time is long for a request.
    fn pick(&mut self, points: &[&Point]) -> usize {
        let indices = |wanted: &dyn Fn(&Point) -> bool| -> Vec<usize> {
            (0..points.len()).filter(|index| wanted(points[*index])).collect()
        };
        let last = self.last;
        let same = indices(&|point| Some(point.actor) == last && !point.is_timer());
        if !same.is_empty() && self.happens(self.stays, 100) {
            return same[self.below(same.len())];
        }
        let requests = indices(&|point| !point.is_timer());
        if requests.is_empty() || self.happens(1, 30) {
            return self.below(points.len());
        }
        requests[self.below(requests.len())]
    }
}

impl Chooser for Chance {
    fn choose(&mut self, _: &Simulation, points: &[&Point]) -> Option<(usize, Fate)> {
        let index = self.pick(points);
        let point = points[index];
        self.last = Some(point.actor);
        let faults = point.faults();
        let is_weak = point.is_invocation() && self.weak == Some(hash(&point.label) % WEAK_PARTS);
        let share = if is_weak { WEAK_FAULTY } else { self.faulty };
        if faults.is_empty() || self.faults == 0 || !self.happens(share, 1000) {
            return Some((index, Fate::Proceed));
        }
        self.faults -= 1;
        Some((index, faults[self.below(faults.len())]))
    }
}

/// The order in which things were asked for, without faults. Time passes when nothing else can happen.
pub struct Calm;

impl Chooser for Calm {
    fn choose(&mut self, _: &Simulation, points: &[&Point]) -> Option<(usize, Fate)> {
        let index = points.iter().position(|point| !point.is_timer()).unwrap_or_default();
        Some((index, Fate::Proceed))
    }
}
