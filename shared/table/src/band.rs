//! Bands: creating, reading, and the pending bands of a concert.

use crate::{
    engine::{item::to_item, table::Table},
    keys,
    pending::Discarded,
};
use domain::{
    Error,
    band::Band,
    id::{BandId, ConcertId},
    idempotency::{Creation, Idempotency, StoredResponse},
};

impl Table {
    /// Stores a new band. With an idempotency key, a repeated request returns the stored response of the first.
    pub async fn create_band(
        &self,
        band: &Band,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
    ) -> Result<Creation, Error> {
        let mut item = to_item(band)?;
        item.extend(keys::band(band.band_id).primary());
        self.put_new(vec![item], band.owner_id, "band-create", idempotency, band.created_at).await
    }

    /// A band that is not pending.
    pub async fn band(&self, id: BandId) -> Result<Band, Error> {
        self.visible_value(keys::band(id), "band").await
    }

    /// Creates a new band of a request as pending. A band that this request created earlier is left unchanged.
    pub async fn prepare_band(&self, band: &Band, concert: ConcertId) -> Result<(), Error> {
        self.prepare(to_item(band)?, keys::band(band.band_id), concert).await
    }

    /// Deletes a band that this request created, unless it has been published.
    pub async fn discard_band(&self, band: BandId, concert: ConcertId) -> Result<Discarded, Error> {
        self.discard(keys::band(band), concert).await
    }
}
