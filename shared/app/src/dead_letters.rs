//! The queues for what readers of the table's stream or of a topic cannot process.

use crate::{
    client::{Client, Needs},
    context::Context,
    queue::Queue,
};
use domain::Error;
use serde::Serialize;
use std::marker::PhantomData;

/// A function that reads the table's stream or a topic.
pub trait Consumer {
    /// The setting with the URL of its queue.
    const SETTINGS: &'static [&'static str; 1];
}

/// cache-warm.
pub struct CacheWarm;

impl Consumer for CacheWarm {
    const SETTINGS: &'static [&'static str; 1] = &["CACHE_WARM_FAILED_QUEUE_URL"];
}

/// event-ingest.
pub struct EventIngest;

impl Consumer for EventIngest {
    const SETTINGS: &'static [&'static str; 1] = &["EVENT_INGEST_FAILED_QUEUE_URL"];
}

/// rating-average.
pub struct RatingAverage;

impl Consumer for RatingAverage {
    const SETTINGS: &'static [&'static str; 1] = &["RATING_AVERAGE_FAILED_QUEUE_URL"];
}

/// event-sink.
pub struct EventSink;

impl Consumer for EventSink {
    const SETTINGS: &'static [&'static str; 1] = &["EVENT_SINK_FAILED_QUEUE_URL"];
}

/// The queue of one consumer.
pub struct DeadLetters<C> {
    queue: Queue,
    consumer: PhantomData<C>,
}

impl<C> DeadLetters<C> {
    /// Sends a letter as JSON. `Unavailable` if the queue does not take it.
    pub async fn send(&self, letter: &impl Serialize) -> Result<(), Error> {
        self.queue.send(letter).await
    }
}

impl<C: Consumer> Client for DeadLetters<C> {
    const NEEDS: Needs = Needs { settings: C::SETTINGS, operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let [setting] = C::SETTINGS;
        let url = context.settings().required(setting)?;
        Ok(Self { queue: Queue::new(context.sdk(), url), consumer: PhantomData })
    }
}
