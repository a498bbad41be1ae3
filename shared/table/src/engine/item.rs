//! Items: serializing values to items, and items to values.

use crate::keys::{self, Key, PK, SK};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Error;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// An item in the SDK's form: attribute values by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Serializes a value to attributes.
pub(crate) fn to_item(value: &impl Serialize) -> Result<Item, Error> {
    serde_dynamo::aws_sdk_dynamodb_1::to_item(value)
        .map_err(|error| Error::internal(format!("cannot be serialized to an item: {error}")))
}

/// Deserializes the value of an item; attributes that the type does not have are ignored.
pub(crate) fn from_item<T: DeserializeOwned>(mut item: Item) -> Result<T, Error> {
    // No stored type has the key attributes as members, so they can be moved out for the error message, not cloned.
    let (pk, sk) = (item.remove(PK), item.remove(SK));
    let members = item.into_iter().map(|(name, value)| (name, value.into())).collect();
    // serde_dynamo's own `from_item` would rebuild the map twice.
    serde_dynamo::from_attribute_value(serde_dynamo::AttributeValue::M(members)).map_err(|error| {
        let key = describe(pk.as_ref(), sk.as_ref());
        Error::internal(format!("item {key} cannot be deserialized: {error}"))
    })
}

/// Partition and sort key for the log, without a partition key that may contain an e-mail address.
fn describe(pk: Option<&AttributeValue>, sk: Option<&AttributeValue>) -> String {
    let text = |value: Option<&AttributeValue>| value.and_then(|value| value.as_s().ok()).cloned();
    let (pk, sk) = (text(pk).unwrap_or_default(), text(sk).unwrap_or_default());
    let shown = if keys::is_private(&pk) { "(private)" } else { &pk };
    format!("{shown} {sk}")
}

/// The text of a string attribute.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The value of a number attribute.
pub(crate) fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The bytes of a binary attribute.
pub(crate) fn bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    item.get(name)?.as_b().ok().map(AsRef::as_ref)
}

/// A number attribute.
pub(crate) fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A string attribute.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A binary attribute.
pub(crate) fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(bytes.to_vec().into())
}

/// The primary key of an item.
pub(crate) fn key_of(item: &Item) -> Option<Key> {
    Some(Key { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() })
}
