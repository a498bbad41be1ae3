//! Counting what DynamoDB charges for.

use aws_sdk_dynamodb::types::ConsumedCapacity;
use std::sync::{Mutex, PoisonError};

/// Capacity units as DynamoDB reports them: a read unit is one strongly consistent read of up to 4 KB
/// (half of it eventually consistent), a write unit one write of up to 1 KB; indexes included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Units {
    /// Read units.
    pub read: f64,
    /// Write units.
    pub write: f64,
}

/// The sum since it was last taken.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Units>);

impl Meter {
    pub(crate) fn read<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.with(|units| units.read += total(consumed));
    }

    pub(crate) fn wrote<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.with(|units| units.write += total(consumed));
    }

    pub(crate) fn take(&self) -> Units {
        self.with(std::mem::take)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Units) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn total<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
    consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).sum()
}
