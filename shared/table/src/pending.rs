//! Items that are created with a concert: pending until the concert is published.
//!
//! A new band, a new venue and the concert itself belong to the request for the concert until it is published. While
//! pending, they are hidden from readers and from other requests, and an undo may delete them. Published items stay.

use crate::{
    engine::{
        item::{Item, from_item, s, text},
        request::Written,
        table::Table,
    },
    keys::{Key, PK},
};
use domain::{Error, id::ConcertId};
use serde::de::DeserializeOwned;

/// The id of the concert that a pending item belongs to. Publishing the concert removes the attribute.
pub(crate) const PENDING_FOR: &str = "pendingFor";

/// The result of discarding an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// The item does not exist any more.
    Gone,
    /// The item was published and is kept.
    Published,
}

/// The item, unless it is pending.
pub(crate) fn visible(item: Option<Item>) -> Option<Item> {
    item.filter(|item| !item.contains_key(PENDING_FOR))
}

impl Table {
    /// An item that is not pending. An eventually consistent read may miss an item that was just written, so an item
    /// that is not found is read again, strongly consistent.
    pub(crate) async fn visible_item(&self, key: Key) -> Result<Option<Item>, Error> {
        match visible(self.get_item(key.clone(), false).await?) {
            Some(item) => Ok(Some(item)),
            None => Ok(visible(self.get_item(key, true).await?)),
        }
    }

    /// The value of an item that is visible.
    pub(crate) async fn visible_value<T: DeserializeOwned>(
        &self,
        key: Key,
        what: &'static str,
    ) -> Result<T, Error> {
        self.visible_item(key).await?.map(from_item).transpose()?.ok_or(Error::NotFound { what })
    }

    /// Puts an item as pending. An item that the request wrote or published earlier is left unchanged.
    pub(crate) async fn prepare(&self, mut item: Item, key: Key, concert: ConcertId) -> Result<(), Error> {
        item.extend(key.primary());
        item.insert(PENDING_FOR.into(), s(concert.to_string()));
        let Written::Refused(stored) = self.create_item(item).await? else { return Ok(()) };
        // Each request has new ids, so the stored item was written by an earlier attempt of this request.
        match stored.as_ref().and_then(|stored| text(stored, PENDING_FOR)) {
            Some(other) if other != concert.to_string() => Err(Error::internal("a new id is already in use")),
            _ => Ok(()),
        }
    }

    /// Deletes a pending item of this request, unless it has been published.
    pub(crate) async fn discard(&self, key: Key, concert: ConcertId) -> Result<Discarded, Error> {
        let delete = self
            .client()
            .delete_item()
            .set_key(Some(key.primary()))
            .condition_expression("attribute_not_exists(#pk) OR #pending = :concert")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#pending", PENDING_FOR)
            .expression_attribute_values(":concert", s(concert.to_string()));
        match self.delete(delete).await? {
            Written::Done(_) => Ok(Discarded::Gone),
            Written::Refused(_) => Ok(Discarded::Published),
        }
    }
}
