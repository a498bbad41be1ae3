//! A stream: its shards, and readers of them.

use crate::{
    reader::{Beginning, ShardReader},
    shard::{Shard, failed},
};
use aws_sdk_dynamodbstreams::{Client, error::ProvideErrorMetadata, types::ShardIteratorType};
use aws_types::SdkConfig;
use domain::{Error, replay::Part};

/// A stream.
pub struct StreamReader {
    client: Client,
    arn: String,
}

impl StreamReader {
    /// The stream with this ARN.
    pub fn new(sdk: &SdkConfig, arn: String) -> Self {
        Self { client: Client::new(sdk), arn }
    }

    /// The ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The shards that may have some of this part, the oldest first.
    pub async fn shards(&self, part: &Part) -> Result<Vec<Shard>, Error> {
        let (mut shards, mut last) = (Vec::new(), None);
        loop {
            let page = self.client.describe_stream().stream_arn(&self.arn);
            let page = page.set_exclusive_start_shard_id(last).send().await;
            let page = page.map_err(|error| failed("DescribeStream", error))?.stream_description;
            let page = page.ok_or_else(|| Error::internal("DescribeStream: no description"))?;
            for shard in page.shards.unwrap_or_default() {
                let range = shard.sequence_number_range.unwrap_or_else(|| {
                    aws_sdk_dynamodbstreams::types::SequenceNumberRange::builder().build()
                });
                let id = shard.shard_id.unwrap_or_default();
                shards.push(Shard {
                    id,
                    first: range.starting_sequence_number,
                    last: range.ending_sequence_number,
                });
            }
            last = page.last_evaluated_shard_id;
            if last.is_none() {
                break;
            }
        }
        shards.retain(|shard| part.may_be_in(&shard.id, shard.first().as_ref(), shard.last().as_ref()));
        Ok(shards)
    }

    /// A reader of a shard: of what comes after this record, or from the oldest record on that is still there.
    pub async fn read<'a>(&'a self, shard: &'a Shard, after: Option<&str>) -> Result<ShardReader<'a>, Error> {
        let (kind, beginning) = match after {
            Some(_) => (ShardIteratorType::AfterSequenceNumber, Beginning::After),
            None => (ShardIteratorType::TrimHorizon, Beginning::Oldest),
        };
        let iterator = self.client.get_shard_iterator().stream_arn(&self.arn).shard_id(&shard.id);
        let iterator = iterator.shard_iterator_type(kind).set_sequence_number(after.map(str::to_owned));
        match iterator.send().await {
            Ok(iterator) => {
                Ok(ShardReader::new(&self.client, &self.arn, shard, iterator.shard_iterator, beginning))
            }
            // The shard, or the record, is gone since the shards were listed.
            Err(error)
                if matches!(
                    error.code(),
                    Some("ResourceNotFoundException" | "TrimmedDataAccessException")
                ) =>
            {
                Ok(ShardReader::new(&self.client, &self.arn, shard, None, Beginning::Gone))
            }
            Err(error) => Err(failed("GetShardIterator", error)),
        }
    }
}
