//! Concerts: recording requests, publishing, deleting.

use crate::{
    engine::{
        item::{Item, from_item, n, number, s, text, to_item},
        request::Written,
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    idempotency::Recorded,
    keys::{self, Key},
    pending::{Discarded, PENDING_FOR, visible},
    sweep::SweepPosition,
};
use domain::{
    Error, Timestamp,
    band::Band,
    concert::{Concert, ConcertRequest, Progress, Referenced},
    geo::Level,
    id::{BandId, ConcertId, UserId, VenueId},
    idempotency::{Idempotency, KEY_SECONDS},
    saga::FailedStep,
};
use futures::future::try_join_all;

/// The request, as JSON: the input of its execution.
const INPUT: &str = "input";
/// The progress of the request, as JSON.
const PROGRESS: &str = "progress";
/// When the request succeeded or failed, in milliseconds since 1970. A pending request does not expire.
const ENDED_AT: &str = "endedAt";

const OPERATION: &str = "concert-create";

/// The error when a concert does not exist.
const NO_CONCERT: Error = Error::NotFound { what: "concert" };

impl Table {
    /// The concert of an earlier request with the same idempotency key and body.
    pub async fn concert_recorded_before(
        &self,
        user: UserId,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<ConcertId>, Error> {
        self.recorded_under_key(user, OPERATION, idempotency, now).await
    }

    /// The bands and the venue among these that exist and are not pending.
    pub async fn referenced(&self, bands: &[BandId], venue: Option<VenueId>) -> Result<Referenced, Error> {
        let bands = try_join_all(bands.iter().map(|id| self.visible_item(keys::band(*id))));
        let venue = async {
            match venue {
                Some(id) => self.visible_item(keys::venue(id)).await,
                None => Ok(None),
            }
        };
        let (bands, venue) = futures::try_join!(bands, venue)?;
        let bands = bands.into_iter().flatten().map(from_item::<Band>).collect::<Result<Vec<_>, _>>()?;
        let bands = bands.into_iter().map(|band| (band.band_id, band)).collect();
        Ok(Referenced { bands, venue: venue.map(from_item).transpose()? })
    }

    /// Records a request for a concert under its idempotency key, with the entry of unfinished work.
    pub async fn record_request(
        &self,
        request: &ConcertRequest,
        idempotency: &Idempotency,
    ) -> Result<Recorded<ConcertId>, Error> {
        let (id, now) = (request.concert_id, request.created_at);
        let mut item: Item = keys::concert_request(id).primary();
        item.insert(INPUT.into(), s(json(request)?));
        item.insert(PROGRESS.into(), s(json(&Progress::Pending)?));
        let writes = vec![self.put_if_absent(item)?, self.put_always(keys::unfinished(id).primary())?];
        self.record_under_key(request.owner_id, OPERATION, idempotency, &id, writes, now).await
    }

    /// A request and its progress, until the request expires.
    pub async fn request(&self, concert: ConcertId) -> Result<(ConcertRequest, Progress), Error> {
        let item = self.request_item(concert).await?;
        Ok((parse(&item, INPUT)?, parse(&item, PROGRESS)?))
    }

    /// A request, and when it ended if it did.
    pub async fn request_with_end(
        &self,
        concert: ConcertId,
    ) -> Result<(ConcertRequest, Option<Timestamp>), Error> {
        let item = self.request_item(concert).await?;
        Ok((parse(&item, INPUT)?, number(&item, ENDED_AT).map(Timestamp::from_unix_milliseconds)))
    }

    async fn request_item(&self, concert: ConcertId) -> Result<Item, Error> {
        self.get_item(keys::concert_request(concert), true).await?.ok_or(NO_CONCERT)
    }

    /// The next requests of each partition that were made before this time and may have left pending items, and the
    /// position after them.
    pub async fn unfinished_requests(
        &self,
        before: Timestamp,
        position: &SweepPosition,
    ) -> Result<(Vec<ConcertId>, SweepPosition), Error> {
        let read = |item: &Item| text(item, keys::SK)?.parse().ok();
        self.unfinished::<ConcertId, _>(keys::unfinished_partition, before, position, read).await
    }

    /// Removes a request from the unfinished ones: it has left no pending item. Idempotent.
    pub async fn finish_request(&self, concert: ConcertId) -> Result<(), Error> {
        let delete = self.client().delete_item().set_key(Some(keys::unfinished(concert).primary()));
        self.delete(delete).await.map(drop)
    }

    /// A concert that is not pending.
    pub async fn concert(&self, id: ConcertId) -> Result<Concert, Error> {
        let item = self.get_item(keys::concert(id), true).await?;
        visible(item).map(from_item).transpose()?.ok_or(NO_CONCERT)
    }

    /// Creates the concert of a request as pending. Idempotent.
    pub async fn prepare_concert(&self, concert: &Concert) -> Result<(), Error> {
        self.prepare(to_item(concert)?, keys::concert(concert.concert_id), concert.concert_id).await
    }

    /// Publishes a concert, its new bands and its new venue in one transaction. Idempotent.
    pub async fn publish_concert(&self, request: &ConcertRequest, now: Timestamp) -> Result<(), Error> {
        let concert = request.concert();
        let id = concert.concert_id;
        let cell = keys::concert_in_cell(&concert.venue.place.cell(Level::Coarse), concert.starts_at, id);
        let [pk, sk] = [s(cell.pk), s(cell.sk)];
        let mut writes = vec![self.update_if(ItemUpdate {
            key: keys::concert(id),
            update: "SET #gsi2pk = :cell, #gsi2sk = :start REMOVE #pendingFor",
            condition: "attribute_exists(#pendingFor)",
            names: &[keys::GSI2_PK, keys::GSI2_SK, PENDING_FOR],
            values: vec![("cell", pk), ("start", sk)],
        })?];
        for entry in entries(&concert)? {
            writes.push(self.put_always(entry)?);
        }
        let new_bands = request.bands.iter().filter(|band| band.new).map(|band| keys::band(band.band_id));
        let new_venue = request.venue.new.then(|| keys::venue(request.venue.venue_id));
        for key in new_bands.chain(new_venue) {
            let (names, condition) = (&[keys::PK, PENDING_FOR], "attribute_exists(#pk)");
            writes.push(self.update_if(ItemUpdate {
                key,
                update: "REMOVE #pendingFor",
                condition,
                names,
                values: vec![],
            })?);
        }
        writes.push(self.update_if(progress_of(id, &Progress::Done, now)?)?);
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(0, Some(stored)) if !stored.contains_key(PENDING_FOR) => Ok(()),
            Transacted::Refused(index, _) => {
                Err(Error::internal(format!("the condition of write {index} of a publication failed")))
            }
        }
    }

    /// Deletes a concert with all its index entries, if it exists. Its bands and its venue are kept.
    pub async fn delete_concert(&self, concert: &Concert) -> Result<(), Error> {
        let id = concert.concert_id;
        let mut writes = vec![self.delete_always(keys::concert(id))?];
        let line_up = concert.bands.iter().map(|band| keys::line_up_entry(id, band.band_id));
        for key in line_up.chain(cell_entry_keys(id)) {
            writes.push(self.delete_always(key)?);
        }
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => Err(Error::internal("an unconditional delete failed its condition")),
        }
    }

    /// Deletes the pending concert of a request. A published concert is kept.
    pub async fn discard_concert(&self, concert: ConcertId) -> Result<Discarded, Error> {
        self.discard(keys::concert(concert), concert).await
    }

    /// Records that a request failed, and why.
    pub async fn reject_request(
        &self,
        concert: ConcertId,
        reason: FailedStep,
        now: Timestamp,
    ) -> Result<(), Error> {
        match self.send_update(progress_of(concert, &Progress::Failed { reason }, now)?).await? {
            // A failed condition means that the request has expired or has ended already: then nothing is recorded.
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }
}

/// The update that records how a request ended, if it is pending: the first recorded result is kept.
fn progress_of(
    concert: ConcertId,
    progress: &Progress,
    now: Timestamp,
) -> Result<ItemUpdate<'static>, Error> {
    Ok(ItemUpdate {
        key: keys::concert_request(concert),
        update: "SET #progress = :progress, #endedAt = :now, #ttl = :ttl",
        condition: "#progress = :pending",
        names: &[PROGRESS, ENDED_AT, keys::TTL],
        values: vec![
            ("progress", s(json(progress)?)),
            ("pending", s(json(&Progress::Pending)?)),
            ("now", n(now.unix_milliseconds())),
            ("ttl", keys::ttl(now.plus_seconds(KEY_SECONDS)).1),
        ],
    })
}

/// The keys of a concert's cell entries. The coarse cell has none: the concert itself is listed there.
fn cell_entry_keys(id: ConcertId) -> [Key; 2] {
    [keys::concert_place(id, Level::Middle), keys::concert_place(id, Level::Fine)]
}

/// The index entries of a concert, for its cells and its line-up. Each holds the whole concert, so that a search reads
/// only the index.
fn entries(concert: &Concert) -> Result<Vec<Item>, Error> {
    let id = concert.concert_id;
    let content = to_item(concert)?;
    let entry = |key: Key, index: Item| {
        let mut item = content.clone();
        item.extend(key.primary());
        item.extend(index);
        item
    };
    let cell_entry = |level| {
        let cell = concert.venue.place.cell(level);
        entry(keys::concert_place(id, level), keys::concert_in_cell(&cell, concert.starts_at, id).gsi2())
    };
    let line_up = concert.bands.iter().map(|band| {
        let index = keys::concert_of_band(band.band_id, concert.starts_at, id).gsi1();
        entry(keys::line_up_entry(id, band.band_id), index)
    });
    Ok([cell_entry(Level::Middle), cell_entry(Level::Fine)].into_iter().chain(line_up).collect())
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("cannot be serialized: {error}")))
}

fn parse<T: serde::de::DeserializeOwned>(item: &Item, name: &str) -> Result<T, Error> {
    let parsed = text(item, name).and_then(|text| serde_json::from_str(text).ok());
    parsed.ok_or_else(|| Error::internal(format!("the {name} of a request cannot be parsed")))
}
