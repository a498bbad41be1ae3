//! Everything Souk keeps, in one DynamoDB table.
//!
//! [`Table`] has one method for each access pattern, in a file for each area; [`keys`] is the map of the table.
//! Each method is safe under retry: a write that was carried out and whose answer was lost is recognised when the
//! SDK sends it again.

mod batch;
mod failure;
mod get;
mod idempotency;
mod item;
pub mod keys;
mod limit;
mod product;
mod product_delete;
mod product_list;
mod product_page;
mod review;
mod session;
mod signing;
mod transaction;
mod units;
mod user;

pub use product_delete::{Hidden, Purged};
pub use signing::PublishedKey;
pub use units::Units;
pub use user::Credential;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;

/// The table, and the client that reaches it. Made once for each process.
pub struct Table {
    client: Client,
    name: String,
    units: units::Meter,
}

impl Table {
    /// The table of this name, reached as `config` says.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into(), units: units::Meter::default() }
    }

    /// What was consumed since this was last asked.
    pub fn take_units(&self) -> Units {
        self.units.take()
    }
}
