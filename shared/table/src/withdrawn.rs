//! Withdrawn products: an entry for each product that is hidden and not deleted yet.
//!
//! The entry is written in the transaction that hides the product, and deleted in the one that deletes it. It names the
//! last run of the deletion, so that product-sweep can tell whether anybody works on it.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        table::Table,
        update::ItemUpdate,
    },
    keys::{self, Key, SK},
    sweep::SweepPosition,
};
use domain::{Error, Timestamp, deletion::DeletionRun, id::ProductId};

const SELLER: &str = "sellerId";
/// The version that was withdrawn.
const VERSION: &str = "version";
/// The number of the last run of the deletion.
const RUN: &str = "run";

/// The entry of a product that is being hidden.
pub(crate) fn of_hidden_product(run: &DeletionRun) -> Item {
    let mut item: Item = keys::withdrawn(run.product_id).primary();
    item.insert(SELLER.into(), s(run.seller_id.to_string()));
    item.insert(VERSION.into(), n(run.version));
    item.insert(RUN.into(), n(u64::from(run.run)));
    item
}

/// The last run of the deletion in an entry.
fn last_run(item: &Item) -> Option<DeletionRun> {
    Some(DeletionRun {
        product_id: text(item, SK)?.parse().ok()?,
        seller_id: text(item, SELLER)?.parse().ok()?,
        version: number(item, VERSION)?,
        run: number(item, RUN)?.try_into().ok()?,
    })
}

impl Table {
    /// The next withdrawn products of each partition, each with the last run of its deletion, and the position after them.
    pub async fn withdrawn_products(
        &self,
        now: Timestamp,
        position: &SweepPosition,
    ) -> Result<(Vec<DeletionRun>, SweepPosition), Error> {
        self.unfinished::<ProductId, _>(keys::withdrawn_partition, now, position, last_run).await
    }

    /// Records the number of a run that goes on with a deletion, unless a later one has begun or the product is deleted.
    pub async fn begin_deletion_run(&self, run: &DeletionRun) -> Result<(), Error> {
        self.begin_run(keys::withdrawn(run.product_id), run.run).await
    }

    /// Records the number of a run in the entry of its deletion, unless a later one is there or the entry is not.
    pub(crate) async fn begin_run(&self, entry: Key, run: u32) -> Result<(), Error> {
        let write = self.send_update(ItemUpdate {
            key: entry,
            update: "SET #run = :run",
            condition: "#run < :run",
            names: &[RUN],
            values: vec![("run", n(u64::from(run)))],
        });
        write.await.map(drop)
    }
}
