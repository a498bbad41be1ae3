//! Withdrawing a product: hide it at once, then delete its reviews page by page, then the product itself.

use crate::{
    engine::{
        item::{Item, key_of, n, number, s},
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys::{self, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK, PK, SK},
    product_item::{HIDDEN, VERSION, category_of},
    stock, withdrawn,
};
use domain::{
    Error, Version,
    deletion::DeletionRun,
    id::{ProductId, UserId},
    product::Category,
};

/// The maximum number of reviews that one call deletes: four full batches.
const PURGE_SIZE: i32 = 100;

/// The result of hiding a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// The product is hidden, by this attempt or an earlier one.
    Done,
    /// The product no longer exists.
    Gone,
    /// The product was changed in the meantime: this version is current.
    Superseded(Version),
}

/// The result of one call of [`Table::purge_reviews`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// How many reviews it deleted.
    pub deleted: usize,
    /// Whether there may be more reviews.
    pub more: bool,
}

impl Table {
    /// Hides this version of a product from readers: it is removed from both indexes, and reads do not find it. In the
    /// same transaction its stock is marked, so that no order can take any of it, its category has one product less, and
    /// its deletion becomes unfinished work for product-sweep.
    pub async fn hide_product(&self, run: DeletionRun) -> Result<Hidden, Error> {
        let (id, version) = (run.product_id, run.version);
        let Some(stored) = self.get_item(keys::product(id), true).await? else { return Ok(Hidden::Gone) };
        // Each version has one category, so the one that was read is that of the version which the condition names.
        let category = category_of(&stored)?;
        let hidden = if number(&stored, VERSION) == Some(version) && !stored.contains_key(HIDDEN) {
            self.hide_shown(run, &category).await?
        } else {
            why_not_hidden(Some(&stored), version)?
        };
        if hidden == Hidden::Done {
            // Also after an attempt that died behind the transaction.
            self.delete_empty_counter(&category, id).await;
        }
        Ok(hidden)
    }

    async fn hide_shown(&self, run: DeletionRun, category: &Category) -> Result<Hidden, Error> {
        let (id, version) = (run.product_id, run.version);
        let product = self.update_if(ItemUpdate {
            key: keys::product(id),
            update: "SET #hidden = :version REMOVE #gsi1pk, #gsi1sk, #gsi2pk, #gsi2sk",
            condition: "#version = :version AND attribute_not_exists(#hidden)",
            names: &[HIDDEN, VERSION, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK],
            values: vec![("version", n(version))],
        })?;
        let stock = self.update_if(stock::hidden(id, version))?;
        let entry = self.put_always(withdrawn::of_hidden_product(&run))?;
        let counted = self.count_product(category, id, -1)?;
        match self.transact(vec![product, stock, entry, counted]).await? {
            Transacted::Done => Ok(Hidden::Done),
            Transacted::Refused(0, stored) => why_not_hidden(stored.as_ref(), version),
            Transacted::Refused(..) => Err(Error::internal("a product without a stock")),
        }
    }

    /// Deletes a page of a product's reviews.
    pub async fn purge_reviews(&self, id: ProductId) -> Result<Purged, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .projection_expression("#pk, #sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::product_partition(id)))
            .expression_attribute_values(":prefix", s(keys::REVIEW_PREFIX))
            .consistent_read(true)
            .limit(PURGE_SIZE);
        let sent = self.query(query).await?;
        let found: Vec<_> = sent.items().iter().filter_map(key_of).collect();
        let purged = Purged { deleted: found.len(), more: sent.last_evaluated_key().is_some() };
        self.batch_delete(found).await?;
        Ok(purged)
    }

    /// Deletes a hidden product, its stock, its rating, its entry in the list of the seller's products, and the entry of
    /// its unfinished deletion. Idempotent. Fails, and deletes nothing, when the product is not hidden.
    pub async fn purge_product(&self, id: ProductId, seller: UserId) -> Result<(), Error> {
        let hidden = "attribute_exists(#hidden) OR attribute_not_exists(#pk)";
        let writes = vec![
            self.delete_if(keys::product(id), hidden, &[HIDDEN, PK], vec![])?,
            self.delete_always(keys::stock(id))?,
            self.delete_always(keys::rating(id))?,
            self.delete_always(keys::sellers_product(seller, id))?,
            self.delete_always(keys::withdrawn(id))?,
        ];
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => Err(Error::internal("a product cannot be purged before it is hidden")),
        }
    }
}

/// The result for a product that cannot be hidden at this version: it is gone, changed, or hidden already.
fn why_not_hidden(stored: Option<&Item>, version: Version) -> Result<Hidden, Error> {
    let Some(stored) = stored else { return Ok(Hidden::Gone) };
    if number(stored, HIDDEN) == Some(version) {
        return Ok(Hidden::Done);
    }
    let current = number(stored, VERSION).ok_or_else(|| Error::internal("a product without a version"))?;
    Ok(Hidden::Superseded(current))
}
