//! Stock: how many units of a product can be sold, in an item beside the product, which a sale leaves unchanged.

use crate::{
    engine::{
        item::{Item, from_item, n, s, to_item},
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    idempotency::{Recorded, recorded_id},
    keys::{self, GSI1_PK, GSI1_SK},
    product_item::{HIDDEN, NO_PRODUCT, VERSION},
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp, Version,
    id::{ProductId, UserId},
    idempotency::Idempotency,
    order::RequestedLine,
    product::Product,
    stock::{Stock, StockChange, StockLevel},
};

const OPERATION: &str = "stock-set";

const STOCK: &str = "stock";
const UPDATED_AT: &str = "updatedAt";

/// The stock of a new product.
pub(crate) fn of_new_product(product: &Product, stock: Stock) -> Result<Item, Error> {
    let mut item = to_item(&StockLevel::new(stock, product.created_at))?;
    item.extend(keys::stock(product.product_id).primary());
    item.extend(keys::stock_on_page(product.product_id).gsi1());
    Ok(item)
}

/// The stock of an item, unless its product is hidden.
pub(crate) fn from_stock_item(item: Item) -> Result<Option<StockLevel>, Error> {
    if item.contains_key(HIDDEN) { Ok(None) } else { from_item(item).map(Some) }
}

/// The update that takes the stock of an order's line, if there is enough of it and the product is not hidden.
pub(crate) fn taken(line: &RequestedLine, now: Timestamp) -> ItemUpdate<'static> {
    ItemUpdate {
        key: keys::stock(line.product_id),
        update: "SET #stock = #stock - :units, #version = #version + :one, #updatedAt = :now",
        condition: "#stock >= :units AND attribute_not_exists(#hidden)",
        names: &[STOCK, VERSION, UPDATED_AT, HIDDEN],
        values: values(line.quantity, now),
    }
}

/// The update that gives back the stock of an order's line, also to a hidden product.
pub(crate) fn given_back(line: &RequestedLine, now: Timestamp) -> ItemUpdate<'static> {
    ItemUpdate {
        key: keys::stock(line.product_id),
        update: "SET #stock = #stock + :units, #version = #version + :one, #updatedAt = :now",
        condition: "attribute_exists(#stock)",
        names: &[STOCK, VERSION, UPDATED_AT],
        values: values(line.quantity, now),
    }
}

/// The update that makes a seller's change, if the stock is within its bounds and the product is not hidden.
pub(crate) fn changed(id: ProductId, change: StockChange, now: Timestamp) -> ItemUpdate<'static> {
    let (update, units) = match change {
        StockChange::Set(stock) => {
            ("SET #stock = :units, #version = #version + :one, #updatedAt = :now", stock.get())
        }
        StockChange::Add(units) => {
            ("SET #stock = #stock + :units, #version = #version + :one, #updatedAt = :now", units)
        }
    };
    let (least, most) = change.bounds();
    let mut values = values(units, now);
    values.extend([("least", integer(least)), ("most", integer(most))]);
    ItemUpdate {
        key: keys::stock(id),
        update,
        condition: "#stock BETWEEN :least AND :most AND attribute_not_exists(#hidden)",
        names: &[STOCK, VERSION, UPDATED_AT, HIDDEN],
        values,
    }
}

/// The update that marks the stock of a product that is being hidden, and removes it from the index.
pub(crate) fn hidden(id: ProductId, version: Version) -> ItemUpdate<'static> {
    ItemUpdate {
        key: keys::stock(id),
        update: "SET #hidden = :version REMOVE #gsi1pk, #gsi1sk",
        condition: "attribute_exists(#stock)",
        names: &[HIDDEN, GSI1_PK, GSI1_SK, STOCK],
        values: vec![("version", n(version))],
    }
}

fn values(units: i64, now: Timestamp) -> Vec<(&'static str, AttributeValue)> {
    vec![("units", integer(units)), ("one", n(1)), ("now", s(now.to_string()))]
}

fn integer(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The stock in the item of a failed condition; 0 when the product is deleted or hidden.
pub(crate) fn available(stored: Option<&Item>) -> i64 {
    let stored = stored.filter(|stored| !stored.contains_key(HIDDEN));
    let stock = stored.and_then(|stored| stored.get(STOCK)?.as_n().ok()?.parse().ok());
    stock.unwrap_or_default()
}

impl Table {
    /// The stock of a product that is not hidden, strongly consistent.
    pub async fn stock(&self, id: ProductId) -> Result<StockLevel, Error> {
        let item = self.get_item(keys::stock(id), true).await?;
        item.map(from_stock_item).transpose()?.flatten().ok_or(NO_PRODUCT)
    }

    /// Makes a seller's change of the stock; `StockOutOfBounds` if it would leave too little or too much. With an
    /// idempotency key, a repeated request changes nothing. It is a transaction even without a key, because the SDK's
    /// client token then makes its own retries safe: a repeated UpdateItem would overwrite a sale in between.
    pub async fn change_stock(
        &self,
        id: ProductId,
        seller: UserId,
        change: StockChange,
        idempotency: Option<&Idempotency>,
        now: Timestamp,
    ) -> Result<Recorded<ProductId>, Error> {
        // The record comes first: when the key is in use, it does not matter whether the change would be possible again.
        let record = idempotency.map(|once| self.id_record(seller, OPERATION, once, &id, now)).transpose()?;
        let update = self.update_if(changed(id, change, now))?;
        let writes = record.into_iter().chain([update]).collect();
        match (self.transact(writes).await?, idempotency) {
            (Transacted::Done, _) => Ok(Recorded::Now),
            (Transacted::Refused(0, Some(record)), Some(idempotency)) => {
                let recorded: ProductId = recorded_id(&record, idempotency)?;
                if recorded == id { Ok(Recorded::Before(id)) } else { Err(Error::KeyReused) }
            }
            (Transacted::Refused(_, stored), _) => match stored.filter(|stored| !stored.contains_key(HIDDEN))
            {
                Some(stored) => Err(Error::StockOutOfBounds { available: available(Some(&stored)) }),
                None => Err(NO_PRODUCT),
            },
        }
    }
}
