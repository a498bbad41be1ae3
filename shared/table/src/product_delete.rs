//! Withdrawing a product: hide it at once, then remove what hangs on it page by page, then the product itself.

use crate::{
    Table,
    item::{key_of, n, number, s},
    keys::{self, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK, PK, SK},
    product::{HIDDEN, VERSION},
    request::Written,
    transaction::Transacted,
};
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use domain::{
    Error, Version,
    id::{ProductId, UserId},
};

/// How many reviews one call deletes at most: four full batches.
const PURGE_SIZE: i32 = 100;

/// What became of a product that was to be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// It is hidden, now or since an earlier attempt.
    Done,
    /// There is no such product any more.
    Gone,
    /// It has been changed since: this version is current.
    Superseded(Version),
}

/// What one call of [`Table::purge_reviews`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// How many reviews it deleted.
    pub deleted: usize,
    /// Whether there may be more.
    pub more: bool,
}

impl Table {
    /// Hides this version of a product from all readers: it leaves both indexes and reads as not found.
    pub async fn hide_product(&self, id: ProductId, version: Version) -> Result<Hidden, Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::product(id).primary()))
            .update_expression("SET #hidden = :version REMOVE #gsi1pk, #gsi1sk, #gsi2pk, #gsi2sk")
            .condition_expression("#version = :version AND attribute_not_exists(#hidden)")
            .expression_attribute_names("#hidden", HIDDEN)
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#gsi1pk", GSI1_PK)
            .expression_attribute_names("#gsi1sk", GSI1_SK)
            .expression_attribute_names("#gsi2pk", GSI2_PK)
            .expression_attribute_names("#gsi2sk", GSI2_SK)
            .expression_attribute_values(":version", n(version));
        let Written::Refused(stored) = self.update(update).await? else { return Ok(Hidden::Done) };
        let Some(stored) = &stored else { return Ok(Hidden::Gone) };
        if number(stored, HIDDEN) == Some(version) {
            return Ok(Hidden::Done);
        }
        let current =
            number(stored, VERSION).ok_or_else(|| Error::internal("a product without a version"))?;
        Ok(Hidden::Superseded(current))
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

    /// Removes a hidden product, its rating and its place among the seller's products. What is gone stays so; a
    /// product that is not hidden is left alone.
    pub async fn purge_product(&self, id: ProductId, seller: UserId) -> Result<(), Error> {
        let product = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(keys::product(id).primary()))
            .condition_expression("attribute_exists(#hidden) OR attribute_not_exists(#pk)")
            .expression_attribute_names("#hidden", HIDDEN)
            .expression_attribute_names("#pk", PK)
            .build();
        let delete =
            |key: keys::Key| Delete::builder().table_name(&self.name).set_key(Some(key.primary())).build();
        let deletes = [product, delete(keys::rating(id)), delete(keys::sellers_product(seller, id))];
        let writes = deletes
            .into_iter()
            .map(|delete| delete.map(|delete| TransactWriteItem::builder().delete(delete).build()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::internal(error.to_string()))?;
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => Err(Error::internal("a product that is not hidden was to be purged")),
        }
    }
}
