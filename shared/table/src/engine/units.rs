//! Counts the capacity units that DynamoDB reports.

use aws_sdk_dynamodb::types::ConsumedCapacity;
use std::sync::{Mutex, PoisonError};

/// Capacity units as DynamoDB reports them, indexes included. A read unit is one strongly consistent read of up to 4 KB
/// or two eventually consistent reads; a write unit is one write of up to 1 KB.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Units {
    /// Read units.
    pub read: f64,
    /// Write units.
    pub write: f64,
}

/// The sum of capacity units since the last `take`.
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
