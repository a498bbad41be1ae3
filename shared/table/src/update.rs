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
use std::collections::HashMap;

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
        let update = Update::builder()
            .table_name(&self.name)
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(names(change.names)))
            .set_expression_attribute_values(values(change.values))
            .set_key(Some(change.key.primary()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(built)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Changes an item by a request of its own: half the price of a transaction.
    pub(crate) async fn changed(&self, change: Change<'_>) -> Result<Written, Error> {
        let update = self
            .client()
            .update_item()
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(names(change.names)))
            .set_expression_attribute_values(values(change.values))
            .set_key(Some(change.key.primary()))
            .return_values(ReturnValue::AllNew);
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
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(self::names(names)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(built)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

fn names(names: &[&str]) -> HashMap<String, String> {
    names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}

/// None where there are none: DynamoDB refuses an empty map.
fn values(values: Vec<(&str, AttributeValue)>) -> Option<HashMap<String, AttributeValue>> {
    let values = values.into_iter().map(|(name, value)| (format!(":{name}"), value));
    Some(values.collect()).filter(|values: &HashMap<_, _>| !values.is_empty())
}

fn built(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("a write that cannot be built: {error}"))
}
