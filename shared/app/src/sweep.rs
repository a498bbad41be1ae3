//! The minimum age of unfinished work that a sweep processes.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use domain::{Error, Timestamp};

/// The minimum age of work that a sweep processes. The execution of younger work may be about to start.
pub struct SweepAfter {
    seconds: u64,
}

impl SweepAfter {
    /// The latest creation time of work that is old enough.
    pub fn before(&self, now: Timestamp) -> Timestamp {
        now.minus_seconds(self.seconds)
    }
}

impl Client for SweepAfter {
    const NEEDS: Needs = Needs { settings: &["SWEEP_AFTER_SECONDS"], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { seconds: context.settings().number("SWEEP_AFTER_SECONDS")? })
    }
}
