//! The DynamoDB client and what all access patterns share: requests, transactions, batches, errors, capacity units.

pub(crate) mod batch;
pub(crate) mod failure;
pub(crate) mod item;
pub(crate) mod request;
pub(crate) mod table;
pub(crate) mod transaction;
pub(crate) mod units;
pub(crate) mod update;
