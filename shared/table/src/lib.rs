//! Everything Souk keeps, in one DynamoDB table.
//!
//! [`Table`] has one method for each access pattern, in a file for each area; [`keys`] is the map of the table.
//! Each method is safe under retry: a write that was carried out and whose answer was lost is recognised when the
//! SDK sends it again.

mod batch;
mod change;
mod concert;
mod concert_search;
mod failure;
mod get;
mod idempotency;
mod item;
pub mod keys;
mod limit;
mod order;
mod performer;
mod product;
mod product_delete;
mod product_list;
mod product_page;
mod rating;
mod request;
mod review;
mod review_list;
mod session;
mod settlement;
mod signing;
mod transaction;
mod units;
mod update;
mod user;

pub use change::{Change, Changed, Record, Sequence};
pub use concert_search::{Found, Sort, Wanted};
pub use idempotency::Recorded;
pub use performer::Discarded;
pub use product_delete::{Hidden, Purged};
pub use rating::{Applied, Recount};
pub use review::Reviewed;
pub use settlement::{Afterwards, Closed};
pub use signing::PublishedKey;
pub use units::Units;
pub use user::Credential;

use aws_sdk_dynamodb::{Client, Config, config::retry::RetryConfig};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use std::sync::OnceLock;

/// The table, and the client that reaches it. Made once for each process.
pub struct Table {
    config: SdkConfig,
    client: OnceLock<Client>,
    name: String,
    units: units::Meter,
}

impl Table {
    /// The table of this name, reached as `config` says.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { config: config.clone(), client: OnceLock::new(), name, units: units::Meter::default() }
    }

    /// The client. Making it reads the rules of all AWS endpoints, which is too slow for the time before the first
    /// poll of the Runtime API.
    fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&self.config))
    }

    /// Opens a connection, so that the first request finds it open. Whether that worked, the first request will tell.
    ///
    /// DynamoDB answers `GET /` on every connection with its health, without credentials and without charge; the SDK
    /// has no such operation, so this one is bent into shape.
    pub async fn prime(&self) {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let request = self.client().describe_endpoints().customize().config_override(once);
        let _ = request
            .mutate_request(|request| {
                let _ = request.set_method("GET");
                *request.body_mut() = SdkBody::empty();
            })
            .send()
            .await;
    }

    /// What was consumed since this was last asked.
    pub fn take_units(&self) -> Units {
        self.units.take()
    }
}
