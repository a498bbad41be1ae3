//! The lower bounds of the functions of the way of visitors' events: what each way of doing their work does.

use crate::event_data::ZSTD_LEVEL;
use base64::{Engine, prelude::BASE64_STANDARD};
use clickhouse::Client;
use kafka::{Message, Producer};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::hint::black_box;
use table::StreamRecord;
use tokio::io::AsyncWriteExt;

/// The bound of shared/table/src/event_batch.rs for a batch that is not compressed.
const LARGEST_BATCH: usize = 1024 * 1024;

/// A request with events: its body is parsed as JSON, and what is stored of it is compressed.
pub struct Upload {
    body: String,
    stored: Vec<u8>,
}

impl Upload {
    /// The upload with this body, and the request with its stored form.
    pub fn read(body: &Value, put: &Value) -> Self {
        let compressed = put.pointer("/Item/events/B").and_then(Value::as_str).expect("a compressed batch");
        Self { body: body.as_str().expect("a body").to_owned(), stored: decompressed(compressed) }
    }

    pub fn prepare(&self) {
        black_box(serde_json::from_str::<Value>(&self.body).expect("a body is JSON"));
        black_box(zstd::bulk::compress(&self.stored, ZSTD_LEVEL).expect("a batch can be compressed"));
    }
}

/// A batch of the stream: its items are decompressed, and what is published of them is compressed and sent.
pub struct Publication {
    /// In base64.
    compressed: Vec<String>,
    messages: Vec<Message>,
}

impl Publication {
    /// The publication of a stream batch.
    pub fn read(event: &Value) -> Self {
        let Some(Value::Array(records)) = event.get("Records").cloned() else { panic!("a stream batch") };
        let compressed = records.iter().map(|record| {
            let events = record.pointer("/dynamodb/NewImage/events/B").and_then(Value::as_str);
            events.expect("a compressed batch").to_owned()
        });
        Self { compressed: compressed.collect(), messages: records.into_iter().flat_map(messages).collect() }
    }

    pub async fn send(&self, producer: &Producer) -> Result<(), String> {
        for compressed in &self.compressed {
            black_box(decompressed(compressed));
        }
        match producer.write(&self.messages).await {
            Ok(refused) if refused.is_empty() => Ok(()),
            Ok(refused) => Err(format!("{} messages are refused", refused.len())),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn messages(record: Value) -> Vec<Message> {
    let record: StreamRecord = serde_json::from_value(record).expect("a stream record");
    let published = record.publication().expect("a readable record");
    let message = |record: &domain::event_record::EventRecord| Message {
        key: record.visitor.clone().into_bytes(),
        value: serde_json::to_vec(record).expect("a record is JSON"),
        at: record.received_at.unix_milliseconds().cast_signed(),
    };
    published.iter().map(message).collect()
}

fn decompressed(base64: &str) -> Vec<u8> {
    let compressed = BASE64_STANDARD.decode(base64).expect("base64");
    zstd::bulk::decompress(&compressed, LARGEST_BATCH).expect("a batch")
}

/// A batch of the topic: its records are read as JSON of any content, and the rows that they make are sent.
pub struct Insert {
    /// In base64.
    records: Vec<String>,
    statement: String,
    rows: Vec<u8>,
}

impl Insert {
    /// The insert of these rows, in base64, for a batch of the topic.
    pub fn read(event: &Value, statement: &Value, rows: &Value) -> Self {
        let partitions = event["records"].as_object().expect("a batch of a topic");
        let records = partitions.values().filter_map(Value::as_array).flatten();
        let records = records.filter_map(|record| record["value"].as_str().map(str::to_owned)).collect();
        let text = |value: &Value| value.as_str().expect("an insert").to_owned();
        Self {
            records,
            statement: text(statement),
            rows: BASE64_STANDARD.decode(text(rows)).expect("base64"),
        }
    }

    pub async fn send(&self, client: &Client) -> Result<(), clickhouse::error::Error> {
        for record in &self.records {
            let value = BASE64_STANDARD.decode(record).expect("base64");
            black_box(serde_json::from_slice::<IgnoredAny>(&value).expect("a record is JSON"));
        }
        let mut insert = client.insert_formatted_with(self.statement.as_str()).buffered();
        insert
            .write_all(&self.rows)
            .await
            .map_err(|error| clickhouse::error::Error::Network(error.into()))?;
        insert.end().await
    }
}
