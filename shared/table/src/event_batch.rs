//! Batches of visitors' events: one compressed item for each request, which the table's stream hands on.

use crate::{
    engine::{
        item::{Item, b, bytes},
        request::Written,
        table::Table,
    },
    keys,
};
use domain::{
    Error,
    event_batch::{BatchId, EventBatch},
};

/// How long a batch is stored: longer than the stream has it, so that there is time to find out why it was not processed.
const KEPT_SECONDS: u64 = 7 * 24 * 60 * 60;
/// The columns of the batch, zstd-compressed.
pub(crate) const EVENTS: &str = "events";
/// The hash of the events, by which a repeated batch is recognised.
const CONTENT: &str = "content";
/// The columns of 500 events are 2 % smaller than at zstd's default level, and write units are most of what a request costs.
const ZSTD_LEVEL: i32 = 9;
/// The maximum size of a batch before it is compressed, in bytes: four times that of a body, because a short number such
/// as 1e15 is written with all its digits. Bounds decompression.
const LARGEST_BATCH: usize = 1024 * 1024;

impl Table {
    /// Stores a batch, which is not empty. A batch that was stored before changes nothing. `KeyReused` if the stored one
    /// has other events.
    pub async fn store_events(&self, batch: &EventBatch) -> Result<(), Error> {
        let content = batch.content.as_bytes();
        let mut item: Item = keys::event_batch(batch.id).primary();
        item.insert(EVENTS.to_owned(), b(&compressed(batch)?));
        item.insert(CONTENT.to_owned(), b(content));
        item.extend([keys::ttl(batch.received_at().plus_seconds(KEPT_SECONDS))]);
        match self.create_item(item).await? {
            Written::Done(_) => Ok(()),
            Written::Refused(Some(stored)) if bytes(&stored, CONTENT) == Some(content.as_slice()) => Ok(()),
            Written::Refused(_) => Err(Error::KeyReused),
        }
    }
}

fn compressed(batch: &EventBatch) -> Result<Vec<u8>, Error> {
    zstd::bulk::compress(&batch.to_bytes()?, ZSTD_LEVEL)
        .map_err(|error| Error::internal(format!("events cannot be compressed: {error}")))
}

/// The batch with this id, of the attribute `events` of its item.
pub fn stored_events(id: BatchId, compressed: &[u8]) -> Result<EventBatch, Error> {
    let bytes = zstd::bulk::decompress(compressed, LARGEST_BATCH)
        .map_err(|error| Error::internal(format!("the batch {id} cannot be decompressed: {error}")))?;
    EventBatch::from_bytes(id, &bytes)
}
