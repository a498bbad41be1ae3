//! The table and its DynamoDB client.

use crate::engine::units::{Meter, Units};
use aws_sdk_dynamodb::{Client, Config, config::retry::RetryConfig};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use std::sync::OnceLock;

/// The table and its client. Created once per process.
pub struct Table {
    config: SdkConfig,
    client: OnceLock<Client>,
    pub(super) name: String,
    pub(super) units: Meter,
}

impl Table {
    /// The table with this name; its client uses `config`.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { config: config.clone(), client: OnceLock::new(), name, units: Meter::default() }
    }

    /// The client, created at first use: creating it loads the AWS endpoint rules, which would delay the first poll of
    /// the Runtime API.
    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&self.config))
    }

    /// Opens a connection before the first request needs it. Errors are ignored: the first request would report them.
    ///
    /// DynamoDB answers `GET /` with its health, without credentials and without charge. The SDK has no operation for
    /// it, so a DescribeEndpoints request is rewritten to `GET /`.
    pub async fn prime(&self) {
        let no_retries = Config::builder().retry_config(RetryConfig::disabled());
        let request = self.client().describe_endpoints().customize().config_override(no_retries);
        let _ = request
            .mutate_request(|request| {
                let _ = request.set_method("GET");
                *request.body_mut() = SdkBody::empty();
            })
            .send()
            .await;
    }

    /// The capacity units consumed since the last call.
    pub fn take_units(&self) -> Units {
        self.units.take()
    }
}
