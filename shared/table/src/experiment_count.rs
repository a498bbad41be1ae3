//! The counts of experiments: the last one of each, and who makes the next.

use crate::{
    engine::{
        item::{Item, b, bytes, n, number},
        request::Written,
        table::Table,
    },
    keys::{self, PK},
    writer::{WRITER, Writer},
};
use domain::{Error, Timestamp, experiment_count::CountTime, id::ExperimentId};

/// How long a count is stored: as long as the events that were counted.
const KEPT_SECONDS: u64 = 400 * 24 * 60 * 60;

/// In milliseconds since 1970.
const COUNTED_AT: &str = "countedAt";
/// In milliseconds since 1970.
const AS_OF: &str = "asOf";
const DURATION: &str = "durationMs";
/// JSON, zstd-compressed.
const TOTALS: &str = "totals";
/// In milliseconds since 1970.
const UNTIL: &str = "until";

/// The totals of ten variants for 400 days are 40 KB instead of 360 KB.
const ZSTD_LEVEL: i32 = 9;
/// The maximum size of totals before they are compressed, in bytes. Bounds decompression.
const LARGEST_TOTALS: usize = 4 * 1024 * 1024;

/// A count of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCount {
    /// When it was made.
    pub time: CountTime,
    /// Events until then are counted.
    pub as_of: Timestamp,
    /// What was counted, in JSON.
    pub totals: String,
}

/// The right to count an experiment, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountLease {
    experiment: ExperimentId,
    writer: Writer,
}

impl Table {
    /// The last count of an experiment; `None` before the first. Eventually consistent.
    pub async fn experiment_count(&self, id: ExperimentId) -> Result<Option<StoredCount>, Error> {
        let Some(item) = self.get_item(keys::experiments::experiment_count(id), false).await? else {
            return Ok(None);
        };
        let time = |name| number(&item, name).map(Timestamp::from_unix_milliseconds);
        let (Some(counted_at), Some(as_of), Some(duration_ms), Some(totals)) =
            (time(COUNTED_AT), time(AS_OF), number(&item, DURATION), bytes(&item, TOTALS))
        else {
            return Err(Error::internal(format!("the count of experiment {id} lacks a member")));
        };
        let totals = decompressed(totals)?;
        Ok(Some(StoredCount { time: CountTime { counted_at, duration_ms }, as_of, totals }))
    }

    /// Takes the right to count an experiment, so that one function counts at a time. `None` if another one has it. The right
    /// of one that died ends at `until`.
    pub async fn begin_count(
        &self,
        experiment: ExperimentId,
        writer: Writer,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<CountLease>, Error> {
        let mut item: Item = keys::experiments::count_lease(experiment).primary();
        item.extend([(UNTIL.to_owned(), n(until.unix_milliseconds())), keys::ttl(until)]);
        writer.sign(&mut item);
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk) OR #until <= :now")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":now", n(now.unix_milliseconds()));
        let is_taken = match self.put(put).await? {
            Written::Done(_) => true,
            // The answer to the same request may have been lost.
            Written::Refused(stored) => stored.is_some_and(|stored| writer.wrote(&stored)),
        };
        Ok(is_taken.then_some(CountLease { experiment, writer }))
    }

    /// Stores a count, unless a later one is stored, and returns the right to count.
    pub async fn end_count(&self, lease: CountLease, count: &StoredCount) -> Result<(), Error> {
        let StoredCount { time, as_of, totals } = count;
        let mut item: Item = keys::experiments::experiment_count(lease.experiment).primary();
        item.extend([
            (COUNTED_AT.to_owned(), n(time.counted_at.unix_milliseconds())),
            (AS_OF.to_owned(), n(as_of.unix_milliseconds())),
            (DURATION.to_owned(), n(time.duration_ms)),
            (TOTALS.to_owned(), b(&compressed(totals)?)),
            keys::ttl(time.counted_at.plus_seconds(KEPT_SECONDS)),
        ]);
        let put = self
            .client()
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk) OR #countedAt <= :countedAt")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#countedAt", COUNTED_AT)
            .expression_attribute_values(":countedAt", n(time.counted_at.unix_milliseconds()));
        self.put(put).await?;
        self.give_up_count(lease).await
    }

    /// Returns the right to count without a count.
    pub async fn give_up_count(&self, lease: CountLease) -> Result<(), Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(keys::experiments::count_lease(lease.experiment).primary()))
            .condition_expression("#writer = :writer")
            .expression_attribute_names("#writer", WRITER)
            .expression_attribute_values(":writer", b(&lease.writer.0));
        self.delete(delete).await.map(drop)
    }
}

fn compressed(totals: &str) -> Result<Vec<u8>, Error> {
    zstd::bulk::compress(totals.as_bytes(), ZSTD_LEVEL)
        .map_err(|error| Error::internal(format!("totals cannot be compressed: {error}")))
}

fn decompressed(totals: &[u8]) -> Result<String, Error> {
    let bytes = zstd::bulk::decompress(totals, LARGEST_TOTALS)
        .map_err(|error| Error::internal(format!("totals cannot be decompressed: {error}")))?;
    String::from_utf8(bytes).map_err(|_| Error::internal("totals are not UTF-8"))
}
