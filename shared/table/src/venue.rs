//! Venues: creating, reading, and the pending venue of a concert.

use crate::{
    engine::{item::to_item, table::Table},
    keys,
    pending::Discarded,
};
use domain::{
    Error,
    id::{ConcertId, VenueId},
    idempotency::{Creation, Idempotency, StoredResponse},
    venue::Venue,
};

impl Table {
    /// Stores a new venue. With an idempotency key, a repeated request returns the stored response of the first.
    pub async fn create_venue(
        &self,
        venue: &Venue,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
    ) -> Result<Creation, Error> {
        let mut item = to_item(venue)?;
        item.extend(keys::venue(venue.venue_id).primary());
        self.put_new(vec![item], venue.owner_id, "venue-create", idempotency, venue.created_at).await
    }

    /// A venue that is not pending.
    pub async fn venue(&self, id: VenueId) -> Result<Venue, Error> {
        self.visible_value(keys::venue(id), "venue").await
    }

    /// Creates the new venue of a request as pending. A venue that this request created earlier is left unchanged.
    pub async fn prepare_venue(&self, venue: &Venue, concert: ConcertId) -> Result<(), Error> {
        self.prepare(to_item(venue)?, keys::venue(venue.venue_id), concert).await
    }

    /// Deletes a venue that this request created, unless it has been published.
    pub async fn discard_venue(&self, venue: VenueId, concert: ConcertId) -> Result<Discarded, Error> {
        self.discard(keys::venue(venue), concert).await
    }
}
