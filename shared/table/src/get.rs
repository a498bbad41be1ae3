//! Reading one item.

use crate::{Table, failure::failure, item::Item, keys::Key};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use domain::Error;

impl Table {
    /// One item. A strongly consistent read costs one read unit for each 4 KB, another half of it.
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
}
