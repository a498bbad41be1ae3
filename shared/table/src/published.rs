//! What is published of the table's stream: batches of visitors' events, orders, and probes.

use crate::{
    event_batch::{EVENTS, stored_events},
    keys,
    stream::StreamRecord,
};
use domain::{
    Error, Timestamp,
    event_batch::BatchId,
    event_record::{EventRecord, SoldOrder},
    order::OrderStatus,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_dynamo::AttributeValue;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// An item in the stream's JSON form.
type Image = HashMap<String, AttributeValue>;

/// The item of a probe.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredProbe {
    probe_id: uuid::Uuid,
    /// In milliseconds since 1970.
    at: u64,
}

/// The status of an order before a change.
#[derive(Deserialize)]
struct OldOrder {
    status: OrderStatus,
}

impl StreamRecord {
    /// The records to publish for this change. None for one that concerns nobody who counts, and for a deletion: batches
    /// are deleted after their time to live, and orders with their customer's account.
    pub fn publication(&self) -> Result<Vec<EventRecord>, Error> {
        let Some(new) = &self.dynamodb.new_image else { return Ok(Vec::new()) };
        let (pk, sk) = (&self.dynamodb.keys.pk.text, &self.dynamodb.keys.sk.text);
        if let Some(id) = keys::parse_event_batch(pk) {
            let id = id.map_err(|id| Error::internal(format!("{id} is no id of a batch of events")))?;
            return events(id, new);
        }
        if pk == keys::PROBE {
            let StoredProbe { probe_id, at } = item(new)?;
            return Ok(vec![EventRecord::probe(probe_id, Timestamp::from_unix_milliseconds(at))]);
        }
        if keys::parse_order(sk).is_none() {
            return Ok(Vec::new());
        }
        let old = self.dynamodb.old_image.as_deref().map(item::<OldOrder>).transpose()?;
        let order: SoldOrder = item(new)?;
        let at = self.written_at().unwrap_or(order.created_at);
        Ok(EventRecord::of_order(&order, old.map(|old| old.status), at))
    }
}

fn events(id: BatchId, image: &RawValue) -> Result<Vec<EventRecord>, Error> {
    let image: Image = attributes(image)?;
    let Some(AttributeValue::B(compressed)) = image.get(EVENTS) else {
        return Err(Error::internal(format!("the batch {id} has no events")));
    };
    Ok(stored_events(id, compressed)?.events().map(EventRecord::from).collect())
}

fn item<T: DeserializeOwned>(image: &RawValue) -> Result<T, Error> {
    serde_dynamo::from_item(attributes(image)?)
        .map_err(|error| Error::internal(format!("a stream image cannot be read: {error}")))
}

fn attributes(image: &RawValue) -> Result<Image, Error> {
    serde_json::from_str(image.get())
        .map_err(|error| Error::internal(format!("a stream image cannot be read: {error}")))
}
