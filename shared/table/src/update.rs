//! Writes, in few words.

use crate::{
    Table,
    item::Item,
    keys::{Key, PK},
    request::Written,
};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::Error;

/// An update, as its parts are known.
pub(crate) struct Change<'a> {
    /// Of which item.
    pub(crate) key: Key,
    /// The update expression.
    pub(crate) update: &'a str,
    /// The condition.
    pub(crate) condition: &'a str,
    /// The names that both use, without `#`.
    pub(crate) names: &'a [&'a str],
    /// The values that both use, without `:`.
    pub(crate) values: Vec<(&'a str, AttributeValue)>,
}

impl Table {
    /// Writes an item that is not there yet; what stands in the way comes back with the refusal.
    pub(crate) fn new_item(&self, item: Item) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(built)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Writes an item, whatever stood there.
    pub(crate) fn any_item(&self, item: Item) -> Result<TransactWriteItem, Error> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).build().map_err(built)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Changes an item.
    pub(crate) fn changed_item(&self, change: Change<'_>) -> Result<TransactWriteItem, Error> {
        let mut update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(change.key.primary()))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for name in change.names {
            update = update.expression_attribute_names(format!("#{name}"), *name);
        }
        for (name, value) in change.values {
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        Ok(TransactWriteItem::builder().update(update.build().map_err(built)?).build())
    }

    /// Changes an item by a request of its own: half the price of a transaction.
    pub(crate) async fn changed(&self, change: Change<'_>) -> Result<Written, Error> {
        let mut update = self
            .client()
            .update_item()
            .set_key(Some(change.key.primary()))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .return_values(ReturnValue::AllNew);
        for name in change.names {
            update = update.expression_attribute_names(format!("#{name}"), *name);
        }
        for (name, value) in change.values {
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        self.update(update).await
    }

    /// Deletes an item, if it is there.
    pub(crate) fn absent_item(&self, key: Key) -> Result<TransactWriteItem, Error> {
        let delete =
            Delete::builder().table_name(&self.name).set_key(Some(key.primary())).build().map_err(built)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Deletes an item under a condition on these attributes.
    pub(crate) fn absent_item_if(
        &self,
        key: Key,
        condition: &str,
        names: &[&str],
    ) -> Result<TransactWriteItem, Error> {
        let mut delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for name in names {
            delete = delete.expression_attribute_names(format!("#{name}"), *name);
        }
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(built)?).build())
    }
}

fn built(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("a write that cannot be built: {error}"))
}
