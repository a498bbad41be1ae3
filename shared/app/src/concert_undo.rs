//! The undo of requests for concerts. concert-create and concert-sweep both call it.

use crate::{
    client::{Client, Needs},
    context::Context,
    table::Table,
};
use domain::{Error, Timestamp, concert::ConcertRequest, saga::FailedStep};
use futures::future::{try_join, try_join_all};
use table::Discarded;

/// Undoes requests for concerts.
pub struct ConcertUndo {
    table: Table,
}

impl ConcertUndo {
    /// Deletes what a request has prepared, and records why it failed. If the concert is published already, everything is
    /// kept. Idempotent.
    ///
    /// The concert is deleted first: then it cannot be published, and nothing refers to the bands and the venue.
    pub async fn undo(
        &self,
        request: &ConcertRequest,
        reason: FailedStep,
        now: Timestamp,
    ) -> Result<Discarded, Error> {
        let id = request.concert_id;
        if self.table.discard_concert(id).await? == Discarded::Published {
            return Ok(Discarded::Published);
        }
        let bands = request.bands.iter().filter(|band| band.new);
        let bands = try_join_all(bands.map(|band| self.table.discard_band(band.band_id, id)));
        let venue = async {
            if request.venue.new {
                self.table.discard_venue(request.venue.venue_id, id).await?;
            }
            Ok(())
        };
        try_join(bands, venue).await?;
        self.table.reject_request(id, reason, now).await?;
        Ok(Discarded::Gone)
    }
}

impl Client for ConcertUndo {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME"],
        operations: &["discard_band", "discard_concert", "discard_venue", "reject_request"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()? })
    }
}
