//! Requests for single items and queries: what all of them have in common.

use crate::{Table, failure::failure, item::Item};
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

/// How a write ended. What a refusal means is said where the condition is written.
pub(crate) enum Written {
    /// It was carried out; the attributes that were asked for.
    Done(Option<Item>),
    /// Its condition failed: the item that stood in the way, if there is one.
    Refused(Option<Item>),
}

macro_rules! write {
    ($(#[$doc:meta])* $name:ident, $builder:ty, $error:ident, $operation:literal) => {
        $(#[$doc])*
        pub(crate) async fn $name(&self, write: $builder) -> Result<Written, Error> {
            let sent = write
                .table_name(&self.name)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            match sent {
                Ok(sent) => {
                    self.units.wrote(sent.consumed_capacity());
                    Ok(Written::Done(sent.attributes))
                }
                Err(error) => match error.as_service_error() {
                    Some($error::ConditionalCheckFailedException(refused)) => {
                        Ok(Written::Refused(refused.item().cloned()))
                    }
                    _ => Err(failure($operation, &error)),
                },
            }
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

    /// Queries the table or an index of it.
    pub(crate) async fn query(&self, query: QueryFluentBuilder) -> Result<QueryOutput, Error> {
        let query = query.table_name(&self.name).return_consumed_capacity(ReturnConsumedCapacity::Total);
        // The SDK's future is large; whoever waits for this one, beside others, is not.
        let sent = Box::pin(query.send()).await.map_err(|error| failure("Query", &error))?;
        self.units.read(sent.consumed_capacity());
        Ok(sent)
    }
}
