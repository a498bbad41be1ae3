//! Lists of unfinished work, which sweeps read: each is spread over 16 partitions by the last digit of the work's id.

use crate::{
    engine::{
        item::{Item, s, text},
        table::Table,
    },
    keys::{self, Key, PK, SK},
};
use domain::{Error, Timestamp, id::Id, page::Page};
use futures::future::try_join_all;

/// The maximum number of entries that are read from one partition at once.
const SWEEP_PAGE: i32 = 50;

/// How far a list was read: its partitions with more entries, and the sort key of the last entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepPosition(Vec<(char, Option<String>)>);

impl SweepPosition {
    /// The beginning of every partition.
    pub fn start() -> Self {
        Self(keys::SHARDS.chars().map(|shard| (shard, None)).collect())
    }

    /// Whether every partition was read to its end.
    pub fn is_end(&self) -> bool {
        self.0.is_empty()
    }
}

impl Table {
    /// The next entries of each partition whose ids `I` were made before this time, oldest first, and the position after
    /// them.
    pub(crate) async fn unfinished<I: Id, T>(
        &self,
        partition: fn(char) -> String,
        before: Timestamp,
        position: &SweepPosition,
        read: fn(&Item) -> Option<T>,
    ) -> Result<(Vec<T>, SweepPosition), Error> {
        // Ids sort by time.
        let end = I::new(before, [0; 10]).to_string();
        let pages = position.0.iter().map(|(shard, after)| {
            let after = after.clone().map(|sk| Key { pk: partition(*shard), sk });
            self.unfinished_in(partition(*shard), &end, after, read)
        });
        let pages = try_join_all(pages).await?;
        let next = position.0.iter().zip(&pages).map(|((shard, _), page)| (*shard, page.next.clone()));
        let next = SweepPosition(next.filter(|(_, next)| next.is_some()).collect());
        Ok((pages.into_iter().flat_map(|page| page.items).collect(), next))
    }

    async fn unfinished_in<T>(
        &self,
        partition: String,
        end: &str,
        after: Option<Key>,
        read: fn(&Item) -> Option<T>,
    ) -> Result<Page<T, String>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk < :end")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(partition))
            .expression_attribute_values(":end", s(end))
            .set_exclusive_start_key(after.map(Key::primary))
            .limit(SWEEP_PAGE);
        let sent = self.query(query).await?;
        let next = sent.last_evaluated_key.as_ref().and_then(|key| text(key, SK)).map(str::to_owned);
        let items = sent.items.unwrap_or_default().iter().filter_map(read).collect();
        Ok(Page { items, next })
    }
}
