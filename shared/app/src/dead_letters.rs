//! The queues for what stream consumers cannot process.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use aws_types::SdkConfig;
use domain::Error;
use serde::Serialize;
use std::{marker::PhantomData, sync::OnceLock};

/// A function that reads the table's stream.
pub trait Consumer {
    /// The setting with the URL of its queue.
    const SETTINGS: &'static [&'static str; 1];
}

/// cache-warm.
pub struct CacheWarm;

impl Consumer for CacheWarm {
    const SETTINGS: &'static [&'static str; 1] = &["CACHE_WARM_FAILED_QUEUE_URL"];
}

/// rating-average.
pub struct RatingAverage;

impl Consumer for RatingAverage {
    const SETTINGS: &'static [&'static str; 1] = &["RATING_AVERAGE_FAILED_QUEUE_URL"];
}

/// The queue of one consumer; the client is created at first use, because it is rarely needed.
pub struct DeadLetters<C> {
    sdk: SdkConfig,
    client: OnceLock<aws_sdk_sqs::Client>,
    url: String,
    consumer: PhantomData<C>,
}

impl<C> DeadLetters<C> {
    /// Sends a letter as JSON. `Unavailable` if the queue does not take it.
    pub async fn send(&self, letter: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(letter)
            .map_err(|error| Error::internal(format!("a letter cannot be serialized: {error}")))?;
        let client = self.client.get_or_init(|| aws_sdk_sqs::Client::new(&self.sdk));
        let sent = client.send_message().queue_url(&self.url).message_body(text).send().await;
        sent.map(drop).map_err(|error| Error::unavailable(format!("SendMessage: {error:?}")))
    }
}

impl<C: Consumer> Client for DeadLetters<C> {
    const NEEDS: Needs = Needs { settings: C::SETTINGS, operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let [setting] = C::SETTINGS;
        let url = context.settings().required(setting)?;
        Ok(Self { sdk: context.sdk().clone(), client: OnceLock::new(), url, consumer: PhantomData })
    }
}
