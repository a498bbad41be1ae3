//! The topic of events in Kafka.

use crate::{
    client::{Client, Needs},
    context::Context,
    msk,
};
use domain::{Error, event_record::EventRecord};
use kafka::{Authorities, Message, Producer, ProducerError, Security};
use std::sync::{Arc, Mutex, PoisonError};

/// The topic.
const TOPIC: &str = "souk.events";

const BROKERS: &str = "KAFKA_BROKERS";
const TLS: &str = "KAFKA_TLS";
const CLUSTER: &str = "KAFKA_CLUSTER_ARN";

/// Where the brokers are.
enum Cluster {
    /// These, with TLS or without.
    Brokers { addresses: Vec<String>, tls: bool },
    /// Those of the MSK cluster with this ARN.
    Msk(String),
}

/// The topic of events. Connects at first use, and anew after a failure.
pub struct EventTopic {
    context: Context,
    cluster: Cluster,
    authorities: Authorities,
    producer: Mutex<Option<Arc<Producer>>>,
}

impl EventTopic {
    /// Publishes the records, and returns the indices of those that are too large for the brokers. `Unavailable` if not
    /// all the others are known to be written; some may be.
    pub async fn publish(&self, records: &[EventRecord]) -> Result<Vec<usize>, Error> {
        let messages = records.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        let producer = self.producer().await?;
        producer.write(&messages).await.map_err(|error| {
            // A connection that was frozen with the function may never answer again.
            *self.connected() = None;
            unavailable(&error)
        })
    }

    async fn producer(&self) -> Result<Arc<Producer>, Error> {
        if let Some(producer) = &*self.connected() {
            return Ok(Arc::clone(producer));
        }
        let authorities = self.authorities.clone();
        let (brokers, security) = match &self.cluster {
            Cluster::Brokers { addresses, tls: true } => (addresses.clone(), Security::Tls(authorities)),
            Cluster::Brokers { addresses, tls: false } => (addresses.clone(), Security::Plain),
            Cluster::Msk(arn) => msk::brokers(self.context.sdk(), arn, authorities).await?,
        };
        let producer = Producer::connect(&brokers, &security, TOPIC).await;
        let producer = Arc::new(producer.map_err(|error| unavailable(&error))?);
        *self.connected() = Some(Arc::clone(&producer));
        Ok(producer)
    }

    fn connected(&self) -> std::sync::MutexGuard<'_, Option<Arc<Producer>>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client for EventTopic {
    const NEEDS: Needs = Needs { settings: &[BROKERS, CLUSTER, TLS], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let settings = context.settings();
        let cluster = match settings.optional(CLUSTER) {
            Some(arn) => Cluster::Msk(arn),
            None => Cluster::Brokers {
                addresses: msk::addresses(&settings.required(BROKERS)?),
                tls: settings.optional(TLS).as_deref() == Some("true"),
            },
        };
        let authorities = Authorities::default();
        Ok(Self { context: context.clone(), cluster, authorities, producer: Mutex::default() })
    }
}

fn message(record: &EventRecord) -> Result<Message, Error> {
    let value = serde_json::to_vec(record)
        .map_err(|error| Error::internal(format!("an event cannot be serialized: {error}")))?;
    let at = i64::try_from(record.received_at.unix_milliseconds()).unwrap_or_default();
    Ok(Message { key: record.visitor.clone().into_bytes(), value, at })
}

fn unavailable(error: &ProducerError) -> Error {
    Error::unavailable(format!("Kafka: {error}"))
}

mod tests;
