//! Builders for the update and condition expressions of single writes and of transactions.

use crate::{
    engine::{
        item::{Item, n},
        request::Written,
        table::Table,
    },
    keys::{Key, PK, TTL},
};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::{Error, Timestamp};
use std::collections::HashMap;

/// The parts of an UpdateItem request.
pub(crate) struct ItemUpdate<'a> {
    /// The key of the item.
    pub(crate) key: Key,
    /// The update expression.
    pub(crate) update: &'a str,
    /// The condition.
    pub(crate) condition: &'a str,
    /// The attribute names in both expressions, without `#`.
    pub(crate) names: &'a [&'a str],
    /// The values in both expressions, without `:`.
    pub(crate) values: Vec<(&'a str, AttributeValue)>,
}

impl Table {
    /// Puts an item if its key is free; when it is not, the failed condition returns the stored item.
    pub(crate) fn put_if_absent(&self, item: Item) -> Result<TransactWriteItem, Error> {
        self.put_if(item, "attribute_not_exists(#pk)", &[PK], vec![])
    }

    /// Puts an item unless an unexpired item has its key.
    pub(crate) fn put_if_absent_or_expired(
        &self,
        item: Item,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        // DynamoDB may delete items long after they expire, so an expired item may still be stored.
        let condition = "attribute_not_exists(#pk) OR #ttl < :now";
        self.put_if(item, condition, &[PK, TTL], vec![("now", n(now.unix_seconds()))])
    }

    /// Puts an item under a condition on these attributes, as part of a transaction.
    pub(crate) fn put_if(
        &self,
        item: Item,
        condition: &str,
        names: &[&str],
        values: Vec<(&str, AttributeValue)>,
    ) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(self::names(names)))
            .set_expression_attribute_values(self::values(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Puts an item unconditionally.
    pub(crate) fn put_always(&self, item: Item) -> Result<TransactWriteItem, Error> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Updates an item under a condition, as part of a transaction.
    pub(crate) fn update_if(&self, change: ItemUpdate<'_>) -> Result<TransactWriteItem, Error> {
        let update = Update::builder()
            .table_name(&self.name)
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(names(change.names)))
            .set_expression_attribute_values(values(change.values))
            .set_key(Some(change.key.primary()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Adds to a number of an item, as part of a transaction. An item that is not there is created.
    pub(crate) fn add_to(&self, key: Key, name: &str, step: i64) -> Result<TransactWriteItem, Error> {
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .update_expression("ADD #name :step")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":step", AttributeValue::N(step.to_string()))
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Updates an item under a condition, as a single request: half the write units of a transaction.
    pub(crate) async fn send_update(&self, change: ItemUpdate<'_>) -> Result<Written, Error> {
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

    /// Deletes an item unconditionally, as part of a transaction.
    pub(crate) fn delete_always(&self, key: Key) -> Result<TransactWriteItem, Error> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Deletes an item under a condition on these attributes and values, as part of a transaction.
    pub(crate) fn delete_if(
        &self,
        key: Key,
        condition: &str,
        names: &[&str],
        values: Vec<(&str, AttributeValue)>,
    ) -> Result<TransactWriteItem, Error> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(self::names(names)))
            .set_expression_attribute_values(self::values(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

fn names(names: &[&str]) -> HashMap<String, String> {
    names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}

/// `None` when there are no values: DynamoDB rejects an empty map.
fn values(values: Vec<(&str, AttributeValue)>) -> Option<HashMap<String, AttributeValue>> {
    let values = values.into_iter().map(|(name, value)| (format!(":{name}"), value));
    Some(values.collect()).filter(|values: &HashMap<_, _>| !values.is_empty())
}

fn build_error(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the write cannot be built: {error}"))
}
