//! Requests for single items and queries, with the options that all of them share.

use crate::{
    engine::{
        failure::failure,
        item::Item,
        table::Table,
        transaction::{TRIES, pause},
    },
    keys::{Key, PK},
};
use aws_sdk_dynamodb::{
    operation::{
        delete_item::{DeleteItemError, builders::DeleteItemFluentBuilder},
        put_item::{PutItemError, builders::PutItemFluentBuilder},
        query::{QueryOutput, builders::QueryFluentBuilder},
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure},
};
use domain::Error;

/// The result of a conditional write. The code that writes the condition decides what its failure means.
pub(crate) enum Written {
    /// The write was carried out; the attributes that `ReturnValues` selected.
    Done(Option<Item>),
    /// The condition failed; the stored item, if there is one.
    Refused(Option<Item>),
}

macro_rules! write {
    ($(#[$doc:meta])* $name:ident, $builder:ty, $error:ident, $operation:literal) => {
        $(#[$doc])*
        pub(crate) async fn $name(&self, write: $builder) -> Result<Written, Error> {
            let write = write
                .table_name(&self.name)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            for attempt in 1.. {
                // The future of the SDK is large; boxed, it does not enlarge the futures of all callers.
                let error = match Box::pin(write.clone().send()).await {
                    Ok(sent) => {
                        self.units.wrote(sent.consumed_capacity());
                        return Ok(Written::Done(sent.attributes));
                    }
                    Err(error) => error,
                };
                match error.as_service_error() {
                    Some($error::ConditionalCheckFailedException(refused)) => {
                        return Ok(Written::Refused(refused.item().cloned()));
                    }
                    // A transaction holds the item. The SDK does not retry this by itself.
                    Some($error::TransactionConflictException(_)) if attempt < TRIES => {
                        tokio::time::sleep(pause(attempt)?).await;
                    }
                    _ => return Err(failure($operation, &error)),
                }
            }
            Err(Error::internal("a write that was never sent"))
        }
    };
}

impl Table {
    write!(
        /// Puts an item.
        put, PutItemFluentBuilder, PutItemError, "PutItem"
    );
    write!(
        /// Updates an item.
        update, UpdateItemFluentBuilder, UpdateItemError, "UpdateItem"
    );
    write!(
        /// Deletes an item.
        delete, DeleteItemFluentBuilder, DeleteItemError, "DeleteItem"
    );

    /// One item. A strongly consistent read costs one read unit for each 4 KB, an eventually consistent one half of it.
    pub(crate) async fn get_item(&self, key: Key, consistent: bool) -> Result<Option<Item>, Error> {
        let sent = self
            .client()
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .consistent_read(consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failure("GetItem", &error))?;
        self.units.read(sent.consumed_capacity());
        Ok(sent.item)
    }

    /// Puts an item where there is none.
    pub(crate) async fn create_item(&self, item: Item) -> Result<Written, Error> {
        let put = self.client().put_item().set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PK);
        self.put(put).await
    }

    /// Queries the table or an index of it.
    pub(crate) async fn query(&self, query: QueryFluentBuilder) -> Result<QueryOutput, Error> {
        let query = query.table_name(&self.name).return_consumed_capacity(ReturnConsumedCapacity::Total);
        // The SDK's future is large; boxed, it does not make the futures that await it large.
        let sent = Box::pin(query.send()).await.map_err(|error| failure("Query", &error))?;
        self.units.read(sent.consumed_capacity());
        Ok(sent)
    }
}
