//! A producer for one topic.

use crate::{partitioner::partition_of, security::Security};

use futures::future::try_join_all;
use rskafka::{
    BackoffConfig,
    chrono::DateTime,
    client::{
        Client, ClientBuilder,
        error::{Error, ProtocolError},
        partition::{Compression, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use std::{collections::BTreeMap, fmt, time::Duration};
use tokio::time::timeout;

/// The most bytes in one batch of records before it is compressed. Brokers take batches of 1 MiB, compressed, unless they
/// are set otherwise.
const BATCH_BYTES: usize = 900_000;

/// The bytes of a record besides its key and its value, at most.
const RECORD_OVERHEAD: usize = 32;

/// How long a request is tried again while the cluster chooses a leader or a broker is away. Longer outages are the
/// caller's.
const RETRIES: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(50),
    max_backoff: Duration::from_millis(500),
    base: 2.0,
    deadline: Some(Duration::from_secs(3)),
};

/// The longest wait for a connection and the metadata of the topic: longer than [`RETRIES`] with all brokers take, so that
/// a broker that refuses the connection is in the error with its reason.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait until all batches of a call are written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// How many partitions a topic gets that does not exist.
const PARTITIONS: i32 = 12;
/// The broker's own default.
const REPLICATION: i16 = -1;

/// A record that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Records of one key are in one partition, in the order in which they were written.
    pub key: Vec<u8>,
    /// The content.
    pub value: Vec<u8>,
    /// Milliseconds since 1970, UTC. A topic is kept for a time that begins here.
    pub at: i64,
}

impl Message {
    fn size(&self) -> usize {
        self.key.len() + self.value.len() + RECORD_OVERHEAD
    }

    fn to_record(&self) -> Record {
        Record {
            key: Some(self.key.clone()),
            value: Some(self.value.clone()),
            headers: BTreeMap::new(),
            timestamp: DateTime::from_timestamp_millis(self.at).unwrap_or_default(),
        }
    }
}

/// Why records may not be written. Some may be.
#[derive(Debug)]
pub struct ProducerError(String);

impl fmt::Display for ProducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProducerError {}

fn failed(error: impl fmt::Display) -> ProducerError {
    ProducerError(error.to_string())
}

fn late(what: &str, limit: Duration) -> ProducerError {
    ProducerError(format!("{what} after {} s", limit.as_secs()))
}

/// A connection to the brokers of a topic.
pub struct Producer {
    /// By index.
    partitions: Vec<PartitionClient>,
}

impl Producer {
    /// Connects. Creates the topic if it does not exist.
    pub async fn connect(
        brokers: &[String],
        security: &Security,
        topic: &str,
    ) -> Result<Self, ProducerError> {
        let opened = timeout(CONNECT_TIMEOUT, Self::open(brokers, security, topic)).await;
        opened.map_err(|_| late("no connection", CONNECT_TIMEOUT))?
    }

    async fn open(brokers: &[String], security: &Security, topic: &str) -> Result<Self, ProducerError> {
        let builder = ClientBuilder::new(brokers.to_vec()).client_id("souk").backoff_config(RETRIES);
        let client = security.protect(builder).map_err(failed)?.build().await.map_err(failed)?;
        let count = match partitions(&client, topic).await? {
            Some(count) => count,
            None => create(&client, topic).await?,
        };
        let clients = (0..count)
            .map(|partition| client.partition_client(topic, partition, UnknownTopicHandling::Retry));
        Ok(Self { partitions: try_join_all(clients).await.map_err(failed)? })
    }

    /// Writes the messages, and returns the indices of those that the broker does not take because they are too large.
    /// After an error, some may be written: the caller writes all of them again.
    pub async fn write(&self, messages: &[Message]) -> Result<Vec<usize>, ProducerError> {
        let mut of_partition = vec![Vec::new(); self.partitions.len()];
        for (index, message) in messages.iter().enumerate() {
            of_partition[partition_of(&message.key, self.partitions.len())].push(index);
        }
        let written = self
            .partitions
            .iter()
            .zip(&of_partition)
            .filter(|(_, indices)| !indices.is_empty())
            .map(|(partition, indices)| write_in_order(partition, messages, indices));
        let refused = timeout(WRITE_TIMEOUT, try_join_all(written)).await;
        let refused = refused.map_err(|_| late("not all is written", WRITE_TIMEOUT))??;
        let mut refused: Vec<usize> = refused.into_iter().flatten().collect();
        refused.sort_unstable();
        Ok(refused)
    }
}

/// The number of the topic's partitions, if it exists.
async fn partitions(client: &Client, topic: &str) -> Result<Option<i32>, ProducerError> {
    let topics = client.list_topics().await.map_err(failed)?;
    let found = topics.into_iter().find(|found| found.name == topic);
    found.map(|found| i32::try_from(found.partitions.len()).map_err(failed)).transpose()
}

/// Creates the topic. Another function may do so at the same time.
async fn create(client: &Client, topic: &str) -> Result<i32, ProducerError> {
    let controller = client.controller_client().map_err(failed)?;
    let milliseconds = i32::try_from(CONNECT_TIMEOUT.as_millis()).map_err(failed)?;
    match controller.create_topic(topic, PARTITIONS, REPLICATION, milliseconds).await {
        Ok(()) | Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => {}
        Err(error) => return Err(failed(error)),
    }
    partitions(client, topic)
        .await?
        .ok_or_else(|| ProducerError(format!("the topic {topic} was created and is not there")))
}

/// Writes messages to a partition, one batch after the other. Returns those that are too large.
async fn write_in_order(
    partition: &PartitionClient,
    messages: &[Message],
    indices: &[usize],
) -> Result<Vec<usize>, ProducerError> {
    let mut refused = Vec::new();
    // A stack: a batch that is refused is replaced by its halves, the first one on top.
    let mut batches: Vec<&[usize]> = batches(messages, indices);
    batches.reverse();
    while let Some(batch) = batches.pop() {
        let records = batch.iter().map(|index| messages[*index].to_record()).collect();
        match (partition.produce(records, Compression::Lz4).await, batch) {
            (Ok(_), _) => {}
            (Err(error), [index]) if is_too_large(&error) => refused.push(*index),
            (Err(error), _) if is_too_large(&error) => {
                let (first, second) = batch.split_at(batch.len() / 2);
                batches.extend([second, first]);
            }
            (Err(error), _) => return Err(failed(error)),
        }
    }
    Ok(refused)
}

fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::ServerError { protocol_error: ProtocolError::MessageTooLarge, .. })
}

/// Consecutive parts of at most [`BATCH_BYTES`] each; a larger message is alone.
fn batches<'a>(messages: &[Message], indices: &'a [usize]) -> Vec<&'a [usize]> {
    let (mut found, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (end, index) in indices.iter().enumerate() {
        let size = messages[*index].size();
        if end > begin && bytes + size > BATCH_BYTES {
            found.push(&indices[begin..end]);
            (begin, bytes) = (end, 0);
        }
        bytes += size;
    }
    found.push(&indices[begin..]);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(sizes: &[usize]) -> Vec<Message> {
        sizes.iter().map(|size| Message { key: Vec::new(), value: vec![0; *size], at: 0 }).collect()
    }

    #[test]
    fn batches_stay_below_the_limit_of_a_broker_and_in_order() {
        let small = messages(&[300_000; 7]);
        let indices: Vec<usize> = (0..7).collect();
        assert_eq!(batches(&small, &indices), [&[0, 1][..], &[2, 3], &[4, 5], &[6]]);
        let mixed = messages(&[10, 2_000_000, 10, 10]);
        assert_eq!(batches(&mixed, &indices[..4]), [&[0][..], &[1], &[2, 3]]);
        assert_eq!(batches(&mixed, &indices[2..4]), [&[2, 3][..]]);
    }
}
