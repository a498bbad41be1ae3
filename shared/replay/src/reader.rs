//! Reads one shard, page by page.

use crate::{
    image::delivered,
    shard::{Shard, failed},
};
use aws_sdk_dynamodbstreams::Client;
use domain::{
    Error,
    replay::{Number, Part, Side},
};
use serde_json::Value;

/// An open shard is at its end after so many pages in succession without a record: one may be empty in between.
const EMPTY_PAGES: usize = 10;

/// The records of a page that belong to a part.
#[derive(Debug, Default)]
pub struct ReplayPage {
    /// As Lambda delivers them.
    pub records: Vec<Value>,
    /// The number of the last record that was read.
    pub last: Option<String>,
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With the oldest record that is there.
    Oldest,
    /// After a record that was read before.
    After,
    /// Nowhere: the shard, or the record after which it was to begin, is gone.
    Gone,
}

/// A place in a shard.
pub struct ShardReader<'a> {
    client: &'a Client,
    arn: &'a str,
    shard: &'a Shard,
    iterator: Option<String>,
    /// Where it began.
    beginning: Beginning,
    empty: usize,
    /// The second and the number of the first record that was read.
    oldest: Option<(u64, Number)>,
}

impl<'a> ShardReader<'a> {
    pub(crate) fn new(
        client: &'a Client,
        arn: &'a str,
        shard: &'a Shard,
        iterator: Option<String>,
        beginning: Beginning,
    ) -> Self {
        Self { client, arn, shard, iterator, beginning, empty: 0, oldest: None }
    }

    /// The next page of the part; `None` after its end.
    pub async fn next(&mut self, part: &Part) -> Result<Option<ReplayPage>, Error> {
        let Some(iterator) = self.iterator.take() else { return Ok(None) };
        let read = self.client.get_records().shard_iterator(iterator).send().await;
        let read = read.map_err(|error| failed("GetRecords", error))?;
        let records = read.records.unwrap_or_default();
        self.empty = if records.is_empty() { self.empty + 1 } else { 0 };
        self.iterator = read.next_shard_iterator.filter(|_| self.empty < EMPTY_PAGES);
        let mut page = ReplayPage::default();
        for record in &records {
            let change = record.dynamodb.as_ref();
            let text = change.and_then(|change| change.sequence_number.as_deref()).unwrap_or_default();
            let number =
                Number::parse(text).ok_or_else(|| Error::internal("a record has no sequence number"))?;
            let created = change.and_then(|change| change.approximate_creation_date_time.as_ref());
            let second = created.and_then(|at| u64::try_from(at.secs()).ok()).unwrap_or_default();
            self.oldest.get_or_insert_with(|| (second, number.clone()));
            match part.side(second, &number) {
                Side::Before => {}
                Side::Inside => page.records.push(delivered(record, self.arn)),
                Side::After => {
                    self.iterator = None;
                    break;
                }
            }
            page.last = Some(text.to_owned());
        }
        Ok(Some(page))
    }

    /// Whether records of the part may be gone: the stream has the beginning of the shard no longer, and what it has
    /// begins within the part or after it; or the place is gone at which the reader was to begin.
    pub fn is_trimmed(&self, part: &Part) -> bool {
        match self.beginning {
            Beginning::Oldest => self.shard.is_trimmed(part, self.oldest.as_ref()),
            Beginning::After => false,
            Beginning::Gone => true,
        }
    }
}
