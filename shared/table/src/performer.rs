//! Bands and venues.
//!
//! One that is created with a concert belongs to the request until the concert is published. Until then nobody sees it
//! and nobody else can use it, and an undo may delete it; from then on it is there for everybody, and stays.

use crate::{
    Table,
    failure::failure,
    item::{Item, from_item, s, text, to_item},
    keys::{self, Key, PK},
};
use aws_sdk_dynamodb::{
    operation::{delete_item::DeleteItemError, put_item::PutItemError},
    types::{ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    Error,
    band::Band,
    concert::Known,
    id::{BandId, ConcertId, VenueId},
    idempotency::{Answer, Once, Outcome},
    venue::Venue,
};
use futures::future::try_join_all;

/// The request that it belongs to, until the concert is published.
pub(crate) const PENDING_FOR: &str = "pendingFor";

/// What became of something that was to be discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// Nothing of it is left.
    Gone,
    /// It has been published, and stays.
    Published,
}

fn visible(item: Option<Item>) -> Option<Item> {
    item.filter(|item| !item.contains_key(PENDING_FOR))
}

impl Table {
    /// Keeps a new band; with an idempotency key, the same request a second time has the first one's answer.
    pub async fn create_band(&self, band: &Band, once: Option<(&Once, &Answer)>) -> Result<Outcome, Error> {
        let mut item = to_item(band)?;
        item.extend(keys::band(band.band_id).primary());
        self.put_new(vec![item], band.owner_id, "band-create", once, band.created_at).await
    }

    /// Keeps a new venue; with an idempotency key, the same request a second time has the first one's answer.
    pub async fn create_venue(
        &self,
        venue: &Venue,
        once: Option<(&Once, &Answer)>,
    ) -> Result<Outcome, Error> {
        let mut item = to_item(venue)?;
        item.extend(keys::venue(venue.venue_id).primary());
        self.put_new(vec![item], venue.owner_id, "venue-create", once, venue.created_at).await
    }

    /// A band that can be seen.
    pub async fn band(&self, id: BandId) -> Result<Band, Error> {
        self.settled(keys::band(id))
            .await?
            .map(from_item)
            .transpose()?
            .ok_or(Error::NotFound { what: "band" })
    }

    /// A venue that can be seen.
    pub async fn venue(&self, id: VenueId) -> Result<Venue, Error> {
        self.settled(keys::venue(id))
            .await?
            .map(from_item)
            .transpose()?
            .ok_or(Error::NotFound { what: "venue" })
    }

    /// An item that can be seen. One that was written a moment ago may not be everywhere yet: what is not found is
    /// asked for once more, strongly consistent.
    async fn settled(&self, key: Key) -> Result<Option<Item>, Error> {
        match visible(self.get_item(key.clone(), false).await?) {
            Some(item) => Ok(Some(item)),
            None => Ok(visible(self.get_item(key, true).await?)),
        }
    }

    /// Those of these bands and this venue that can be seen.
    pub async fn known(&self, bands: &[BandId], venue: Option<VenueId>) -> Result<Known, Error> {
        let bands = try_join_all(bands.iter().map(|id| self.settled(keys::band(*id))));
        let venue = async {
            match venue {
                Some(id) => self.settled(keys::venue(id)).await,
                None => Ok(None),
            }
        };
        let (bands, venue) = futures::try_join!(bands, venue)?;
        let bands = bands.into_iter().flatten().map(from_item::<Band>).collect::<Result<Vec<_>, _>>()?;
        let bands = bands.into_iter().map(|band| (band.band_id, band)).collect();
        Ok(Known { bands, venue: venue.map(from_item).transpose()? })
    }

    /// Creates a band of a request, unseen. What this request has created before stays as it is.
    pub async fn prepare_band(&self, band: &Band, concert: ConcertId) -> Result<(), Error> {
        self.prepare(to_item(band)?, keys::band(band.band_id), concert).await
    }

    /// Creates the venue of a request, unseen. What this request has created before stays as it is.
    pub async fn prepare_venue(&self, venue: &Venue, concert: ConcertId) -> Result<(), Error> {
        self.prepare(to_item(venue)?, keys::venue(venue.venue_id), concert).await
    }

    /// Deletes a band that this request created, unless it has been published.
    pub async fn discard_band(&self, band: BandId, concert: ConcertId) -> Result<Discarded, Error> {
        self.discard(keys::band(band), concert).await
    }

    /// Deletes a venue that this request created, unless it has been published.
    pub async fn discard_venue(&self, venue: VenueId, concert: ConcertId) -> Result<Discarded, Error> {
        self.discard(keys::venue(venue), concert).await
    }

    /// Writes something that belongs to a request, unseen. What the request wrote or published before stays as it is.
    pub(crate) async fn prepare(&self, mut item: Item, key: Key, concert: ConcertId) -> Result<(), Error> {
        item.extend(key.primary());
        item.insert(PENDING_FOR.into(), s(concert.to_string()));
        let sent = self
            .client()
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match sent {
            Ok(sent) => {
                self.units.wrote(sent.consumed_capacity());
                return Ok(());
            }
            Err(error) => error,
        };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(failure("PutItem", &error));
        };
        // Ids are new in each request: what stands there was written by an earlier try of this one.
        match refused.item().and_then(|stored| text(stored, PENDING_FOR)) {
            Some(other) if other != concert.to_string() => Err(Error::internal("a new id is in use")),
            _ => Ok(()),
        }
    }

    /// Deletes something that belongs to a request, unless it has been published.
    pub(crate) async fn discard(&self, key: Key, concert: ConcertId) -> Result<Discarded, Error> {
        let sent = self
            .client()
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key.primary()))
            .condition_expression("attribute_not_exists(#pk) OR #pending = :concert")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#pending", PENDING_FOR)
            .expression_attribute_values(":concert", s(concert.to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(sent) => {
                self.units.wrote(sent.consumed_capacity());
                Ok(Discarded::Gone)
            }
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(Discarded::Published),
                _ => Err(failure("DeleteItem", &error)),
            },
        }
    }
}
