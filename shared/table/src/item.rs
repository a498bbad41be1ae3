//! Items: building them from what we keep, and reading them back.

use crate::keys::{self, Key, PK, SK};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Error;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The attributes of a value that we keep.
pub(crate) fn to_item(value: &impl Serialize) -> Result<Item, Error> {
    serde_dynamo::aws_sdk_dynamodb_1::to_item(value)
        .map_err(|error| Error::internal(format!("does not become an item: {error}")))
}

/// The value that an item keeps; attributes that are none of its own are passed over.
pub(crate) fn from_item<T: DeserializeOwned>(mut item: Item) -> Result<T, Error> {
    // Nothing that we keep has these for its own: they are taken out, rather than copied for an error that is rare.
    let (pk, sk) = (item.remove(PK), item.remove(SK));
    let members = item.into_iter().map(|(name, value)| (name, value.into())).collect();
    // Not by serde_dynamo's own `from_item`, which builds the map anew twice.
    serde_dynamo::from_attribute_value(serde_dynamo::AttributeValue::M(members)).map_err(|error| {
        let key = describe(pk.as_ref(), sk.as_ref());
        Error::internal(format!("item {key} does not read: {error}"))
    })
}

/// Partition and sort key, for the log; what is private about them is left out.
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

/// A number as an attribute.
pub(crate) fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A text as an attribute.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Bytes as an attribute.
pub(crate) fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(bytes.to_vec().into())
}

/// The primary key of an item.
pub(crate) fn key_of(item: &Item) -> Option<Key> {
    Some(Key { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() })
}
