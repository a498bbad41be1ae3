//! Reads a part of the table's stream again and gives its records to event-ingest, as the stream does.

use crate::{
    aws,
    client::{Client, Needs},
    context::Context,
    signed::Service,
};
use ::replay::{ReplayPage, Shard, ShardReader, StreamReader};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_types::byte_stream::{AggregatedBytes, ByteStream};
use domain::{
    Error, Timestamp,
    replay::{Part, ReplayInput},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

const STREAM: &str = "TABLE_STREAM_ARN";
const FUNCTION: &str = "EVENT_INGEST_FUNCTION";
const LAMBDA: Service = Service { title: "Lambda", host: "lambda", signing_name: "lambda" };

/// How long event-ingest may take for a batch: its own limit, and a start.
const PATIENCE: Duration = Duration::from_secs(75);

/// The maximum number of records of a batch: as many as event-ingest's event source mapping delivers, for which its memory suffices.
/// A page of the stream may have 1,000.
const BATCH: usize = 100;

/// What a run has done.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// The number of records that were handed on.
    pub records: usize,
    /// The shards of which the stream has only a later part: what was before it may be missing. If the stream has no shard at all
    /// that may have had the records, what was to be read: a shard, or the numbers of records.
    pub trimmed: Vec<String>,
    /// The input of the next run; absent if this one has come to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<ReplayInput>,
}

/// Replays the stream.
pub struct EventReplay {
    context: Context,
    stream: StreamReader,
    function: String,
    connector: OnceLock<SharedHttpConnector>,
}

impl EventReplay {
    /// Hands on the records that the input names, until this time. `Unavailable` if event-ingest does not process them:
    /// the run may be repeated with the same input.
    pub async fn run(&self, input: ReplayInput, until: Timestamp) -> Result<Replayed, Error> {
        let began = self.context.now();
        let part = input.part(began).map_err(Error::internal)?;
        let (mut done, mut after) = (Replayed::default(), input.after.clone());
        let shards = self.stream.shards(&part).await?;
        if shards.is_empty() {
            done.trimmed.push(part.name());
        }
        for shard in shards {
            let place = after.get(&shard.id).cloned();
            let mut reader = self.stream.read(&shard, place.as_deref()).await?;
            let is_whole =
                self.replay_shard(&shard, &mut reader, &part, &mut done, &mut after, until).await?;
            if reader.is_trimmed(&part) {
                done.trimmed.push(shard.id.clone());
            }
            if !is_whole {
                done.next = Some(input.next(after, began));
                break;
            }
        }
        Ok(done)
    }

    /// Returns whether it came to the end of the shard.
    async fn replay_shard(
        &self,
        shard: &Shard,
        reader: &mut ShardReader<'_>,
        part: &Part,
        done: &mut Replayed,
        after: &mut BTreeMap<String, String>,
        until: Timestamp,
    ) -> Result<bool, Error> {
        while let Some(ReplayPage { records, last }) = reader.next(part).await? {
            if !records.is_empty() {
                done.records += records.len();
                for batch in records.chunks(BATCH) {
                    self.hand_on(batch).await?;
                }
            }
            after.extend(last.map(|last| (shard.id.clone(), last)));
            if self.context.now() >= until {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Invokes event-ingest with a batch of the stream.
    async fn hand_on(&self, records: &[Value]) -> Result<(), Error> {
        let path = format!("/2015-03-31/functions/{}/invocations", self.function);
        let request = LAMBDA.post(&self.context, &path, json!({"Records": records}).to_string()).await?;
        let answer = tokio::time::timeout(PATIENCE, self.connector()?.call(request)).await;
        let answer = answer.map_err(|_| Error::unavailable("event-ingest: no answer"))?;
        let answer = answer.map_err(|error| Error::unavailable(format!("event-ingest: {error}")))?;
        let is_error =
            answer.headers().get("x-amz-function-error").is_some() || !answer.status().is_success();
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body()).collect().await.map(AggregatedBytes::to_vec);
        let body: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
        let failures = body["batchItemFailures"].as_array().map(Vec::len);
        match failures {
            Some(0) if !is_error => Ok(()),
            _ => Err(Error::unavailable(format!("event-ingest failed: {status}, failures: {failures:?}"))),
        }
    }

    fn connector(&self) -> Result<&SharedHttpConnector, Error> {
        if self.connector.get().is_none() {
            // Another request may have come first; then its connections are used.
            let _ = self.connector.set(aws::connector(self.context.sdk().endpoint_url())?);
        }
        self.connector.get().ok_or_else(|| Error::internal("Lambda: no connections"))
    }
}

impl Client for EventReplay {
    const NEEDS: Needs = Needs { settings: &[FUNCTION, STREAM], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let settings = context.settings();
        Ok(Self {
            stream: StreamReader::new(context.sdk(), settings.required(STREAM)?),
            function: settings.required(FUNCTION)?,
            connector: OnceLock::new(),
            context: context.clone(),
        })
    }
}
