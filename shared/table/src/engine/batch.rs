//! Batches: many items in one request. DynamoDB may return some unprocessed; these are requested again.

use crate::{
    engine::{failure::failure, item::Item, table::Table, transaction::pause},
    keys::Key,
};
use aws_sdk_dynamodb::{
    error::BuildError,
    types::{DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, WriteRequest},
};
use domain::Error;
use futures::future::try_join_all;
use std::collections::HashMap;

/// The maximum number of keys in one BatchGetItem.
const MAX_READS: usize = 100;

/// The maximum number of writes in one BatchWriteItem.
const MAX_WRITES: usize = 25;

/// The maximum number of attempts until all keys or writes are processed.
const TRIES: u32 = 8;

impl Table {
    /// The items that exist among these keys, in no particular order. A strongly consistent read costs one read unit
    /// for each 4 KB of an item, an eventually consistent read half a unit.
    pub(crate) async fn batch_get(&self, keys: Vec<Key>, consistent: bool) -> Result<Vec<Item>, Error> {
        let chunks: Vec<Vec<Key>> = keys.chunks(MAX_READS).map(<[Key]>::to_vec).collect();
        let found =
            try_join_all(chunks.into_iter().map(|chunk| self.batch_get_chunk(chunk, consistent))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn batch_get_chunk(&self, keys: Vec<Key>, consistent: bool) -> Result<Vec<Item>, Error> {
        let mut wanted = KeysAndAttributes::builder().consistent_read(consistent);
        for key in keys {
            wanted = wanted.keys(key.primary());
        }
        let wanted = wanted.build().map_err(|error| Error::internal(format!("BatchGetItem: {error}")))?;
        let mut left = Some(HashMap::from([(self.name.clone(), wanted)]));
        let mut found = Vec::new();
        for attempt in 1..=TRIES {
            let Some(wanted) = left.take() else { return Ok(found) };
            let output = self
                .client()
                .batch_get_item()
                .set_request_items(Some(wanted))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failure("BatchGetItem", &error))?;
            self.units.read(output.consumed_capacity());
            found.extend(output.responses.into_iter().flatten().flat_map(|(_, items)| items));
            left = output.unprocessed_keys.filter(|keys| !keys.is_empty());
            if left.is_some() {
                tokio::time::sleep(pause(attempt)?).await;
            }
        }
        left.map_or(Ok(found), |_| Err(Error::unavailable("BatchGetItem: unprocessed keys remain")))
    }

    /// Deletes these items, at most [`MAX_WRITES`] at a time.
    pub(crate) async fn batch_delete(&self, keys: Vec<Key>) -> Result<(), Error> {
        let delete = |key: Key| {
            let request = DeleteRequest::builder().set_key(Some(key.primary())).build();
            request.map(|request| WriteRequest::builder().delete_request(request).build())
        };
        self.batch_write(keys.into_iter().map(delete).collect()).await
    }

    /// Puts these items without a condition, at most [`MAX_WRITES`] at a time.
    pub(crate) async fn batch_put(&self, items: Vec<Item>) -> Result<(), Error> {
        let put = |item: Item| {
            let request = PutRequest::builder().set_item(Some(item)).build();
            request.map(|request| WriteRequest::builder().put_request(request).build())
        };
        self.batch_write(items.into_iter().map(put).collect()).await
    }

    async fn batch_write(&self, writes: Result<Vec<WriteRequest>, BuildError>) -> Result<(), Error> {
        let writes = writes.map_err(|error| Error::internal(format!("BatchWriteItem: {error}")))?;
        let chunks: Vec<Vec<WriteRequest>> = writes.chunks(MAX_WRITES).map(<[_]>::to_vec).collect();
        try_join_all(chunks.into_iter().map(|chunk| self.batch_write_chunk(chunk))).await?;
        Ok(())
    }

    async fn batch_write_chunk(&self, writes: Vec<WriteRequest>) -> Result<(), Error> {
        let mut left = Some(HashMap::from([(self.name.clone(), writes)]));
        for attempt in 1..=TRIES {
            let Some(writes) = left.take() else { return Ok(()) };
            let output = self
                .client()
                .batch_write_item()
                .set_request_items(Some(writes))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failure("BatchWriteItem", &error))?;
            self.units.wrote(output.consumed_capacity());
            left = output.unprocessed_items.filter(|items| !items.is_empty());
            if left.is_some() {
                tokio::time::sleep(pause(attempt)?).await;
            }
        }
        left.map_or(Ok(()), |_| Err(Error::unavailable("BatchWriteItem: unprocessed writes remain")))
    }
}
