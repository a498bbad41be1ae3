//! The events that the functions of the way of visitors' events are sent. The same events go through all of them.

use crate::data::{request, stream_record};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    Input,
    event_batch::{EventBatch, EventUpload, MOST_EVENTS},
    event_record::EventRecord,
};
use serde_json::{Value, json};
use table::keys;
use tests::samples::{now, visit, visitor_id};

/// The number of events in a request: the most that one may have.
pub const TRACKED: u32 = 500;

/// The number of requests whose events are in a batch of the stream or of the topic.
const UPLOADS: u32 = 10;

/// The number of events in a batch of the stream or of the topic.
pub const BATCHED: u32 = UPLOADS * TRACKED;

/// The level of shared/table/src/event_batch.rs.
pub const ZSTD_LEVEL: i32 = 9;

/// `POST /events` with 500 events of one visitor, others each time.
pub fn event_track(number: u32, _: u32) -> Value {
    let mut event = request("POST", "/events", &json!({}), "/events", None);
    event["body"] = upload(number).to_string().into();
    event
}

/// A stream batch: the items of ten requests, each with 500 events of a visitor.
pub fn stored_events(number: u32, _: u32) -> Value {
    let record = |(index, batch): (u64, EventBatch)| {
        let bytes = batch.to_bytes().expect("events are JSON");
        let compressed = zstd::bulk::compress(&bytes, ZSTD_LEVEL).expect("a batch can be compressed");
        let key = keys::event_batch(batch.id);
        let image = json!({
            "pk": {"S": key.pk}, "sk": {"S": key.sk}, "expiresAt": {"N": "1764264627"},
            "events": {"B": BASE64_STANDARD.encode(compressed)},
            "content": {"B": BASE64_STANDARD.encode(batch.content)},
        });
        stream_record(u64::from(number) * u64::from(UPLOADS) + index + 1, &key, &image)
    };
    json!({"Records": (0..).zip(batches(number)).map(record).collect::<Vec<_>>()})
}

/// A batch of the topic: what is published of ten requests, the events of each in another partition.
pub fn published_events(number: u32, _: u32) -> Value {
    let partitions = (0..).zip(batches(number)).map(|(partition, batch): (u32, _)| {
        let records = (0..).zip(batch.events()).map(|(offset, event)| {
            let record = EventRecord::from(event);
            topic_record(partition, u64::from(number * TRACKED) + offset, &record)
        });
        (format!("souk.events-{partition}"), records.collect())
    });
    let brokers = "b-1.souk.example.c2.kafka.eu-central-1.amazonaws.com:9098";
    let records: serde_json::Map<String, Value> = partitions.collect();
    json!({"eventSource": "aws:kafka", "bootstrapServers": brokers, "records": records})
}

fn topic_record(partition: u32, offset: u64, record: &EventRecord) -> Value {
    let value = serde_json::to_vec(record).expect("a record is JSON");
    json!({
        "topic": "souk.events", "partition": partition, "offset": offset, "timestamp": record.received_at.unix_milliseconds(),
        "timestampType": "CREATE_TIME", "key": BASE64_STANDARD.encode(&record.visitor),
        "value": BASE64_STANDARD.encode(value), "headers": [],
    })
}

fn batches(number: u32) -> impl Iterator<Item = EventBatch> {
    (0..UPLOADS).map(move |index| {
        let upload = EventUpload::from_json(upload(number * UPLOADS + index)).expect("an upload");
        upload.received(now()).expect("a batch")
    })
}

/// The body of a request with events of the visitor with this number.
fn upload(number: u32) -> Value {
    let mut events = visit(number.into(), MOST_EVENTS);
    for event in &mut events {
        event["anonymousId"] = visitor_id(number).to_string().into();
    }
    json!({"batch": events, "sentAt": now()})
}
