//! Queues: sends messages as JSON.

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata};
use aws_types::SdkConfig;
use domain::Error;
use serde::Serialize;
use std::sync::OnceLock;

/// The longest delay of a message that SQS allows.
const LONGEST_DELAY_SECONDS: u64 = 15 * 60;

/// A queue. Its client is created at first use.
pub(crate) struct Queue {
    sdk: SdkConfig,
    client: OnceLock<Client>,
    url: String,
}

impl Queue {
    pub(crate) fn new(sdk: &SdkConfig, url: String) -> Self {
        Self { sdk: sdk.clone(), client: OnceLock::new(), url }
    }

    /// Sends a message. `Unavailable` if the queue does not take it. The error contains nothing of the message.
    pub(crate) async fn send(&self, message: &impl Serialize) -> Result<(), Error> {
        self.put(message, None, 0).await
    }

    /// Sends a message to a FIFO queue, which gives out the messages of a group one after the other.
    pub(crate) async fn send_in_group(&self, message: &impl Serialize, group: &str) -> Result<(), Error> {
        self.put(message, Some(group.to_owned()), 0).await
    }

    /// Sends a message that is delivered after this number of seconds, or after [`LONGEST_DELAY_SECONDS`].
    pub(crate) async fn send_after(&self, message: &impl Serialize, seconds: u64) -> Result<(), Error> {
        self.put(message, None, seconds).await
    }

    async fn put(
        &self,
        message: &impl Serialize,
        group: Option<String>,
        delay_seconds: u64,
    ) -> Result<(), Error> {
        let text = serde_json::to_string(message)
            .map_err(|error| Error::internal(format!("a message cannot be serialized: {error}")))?;
        let client = self.client.get_or_init(|| Client::new(&self.sdk));
        let delay = i32::try_from(delay_seconds.min(LONGEST_DELAY_SECONDS)).unwrap_or(0);
        let message = client.send_message().queue_url(&self.url).message_body(text);
        let message = message.set_message_group_id(group).set_delay_seconds((delay > 0).then_some(delay));
        let sent = message.send().await;
        sent.map(drop).map_err(|error| {
            Error::unavailable(format!("SendMessage: {} ({error})", error.code().unwrap_or("no answer")))
        })
    }
}
