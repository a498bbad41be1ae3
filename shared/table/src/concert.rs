//! Concerts: from a request to a concert that can be found, and back.

use crate::{
    Table,
    idempotency::Recorded,
    item::{Item, from_item, s, text, to_item},
    keys::{self, Key},
    performer::{Discarded, PENDING_FOR},
    request::Written,
    transaction::Transacted,
    update::Change,
};
use domain::{
    Error, Timestamp,
    concert::{Concert, ConcertRequest, Progress},
    geo::Level,
    id::{ConcertId, UserId},
    idempotency::{KEY_SECONDS, Once},
    saga::FailedStep,
};

/// The request, as JSON: the input of its execution.
const INPUT: &str = "input";
/// How the request stands, as JSON.
const PROGRESS: &str = "progress";

const OPERATION: &str = "concert-create";

/// The error of all who look for a concert that is not there.
const NO_CONCERT: Error = Error::NotFound { what: "concert" };

impl Table {
    /// The concert that an earlier request with the same key and body asked for.
    pub async fn concert_asked_before(
        &self,
        user: UserId,
        once: &Once,
        now: Timestamp,
    ) -> Result<Option<ConcertId>, Error> {
        self.asked_before(user, OPERATION, once, now).await
    }

    /// Records a request for a concert under its key.
    pub async fn record_request(
        &self,
        request: &ConcertRequest,
        once: &Once,
    ) -> Result<Recorded<ConcertId>, Error> {
        let (id, now) = (request.concert_id, request.created_at);
        let mut item: Item = keys::concert_request(id).primary();
        item.insert(INPUT.into(), s(json(request)?));
        item.insert(PROGRESS.into(), s(json(&Progress::Pending)?));
        item.extend([keys::ttl(now.plus_seconds(KEY_SECONDS))]);
        self.record_asked(request.owner_id, OPERATION, once, &id, vec![self.new_item(item)?], now).await
    }

    /// A request and how it stands, while it is remembered.
    pub async fn request(&self, concert: ConcertId) -> Result<(ConcertRequest, Progress), Error> {
        let item = self.get_item(keys::concert_request(concert), true).await?.ok_or(NO_CONCERT)?;
        Ok((parse(&item, INPUT)?, parse(&item, PROGRESS)?))
    }

    /// A concert that can be seen.
    pub async fn concert(&self, id: ConcertId) -> Result<Concert, Error> {
        let item = self.get_item(keys::concert(id), true).await?;
        let seen = item.filter(|item| !item.contains_key(PENDING_FOR));
        seen.map(from_item).transpose()?.ok_or(NO_CONCERT)
    }

    /// Creates the concert of a request, unseen. A second time changes nothing.
    pub async fn prepare_concert(&self, concert: &Concert) -> Result<(), Error> {
        self.prepare(to_item(concert)?, keys::concert(concert.concert_id), concert.concert_id).await
    }

    /// Makes a concert, its new bands and its new venue visible, all at once. A second time changes nothing.
    pub async fn publish_concert(&self, request: &ConcertRequest) -> Result<(), Error> {
        let concert = request.concert();
        let id = concert.concert_id;
        let cell = keys::concert_in_cell(&concert.venue.place.cell(Level::Coarse), concert.starts_at, id);
        let [pk, sk] = [s(cell.pk), s(cell.sk)];
        let mut writes = vec![self.changed_item(Change {
            key: keys::concert(id),
            update: "SET #gsi2pk = :cell, #gsi2sk = :start REMOVE #pendingFor",
            condition: "attribute_exists(#pendingFor)",
            names: &[keys::GSI2_PK, keys::GSI2_SK, PENDING_FOR],
            values: vec![("cell", pk), ("start", sk)],
        })?];
        for entry in entries(&concert)? {
            writes.push(self.any_item(entry)?);
        }
        let new_bands = request.bands.iter().filter(|band| band.new).map(|band| keys::band(band.band_id));
        let new_venue = request.venue.new.then(|| keys::venue(request.venue.venue_id));
        for key in new_bands.chain(new_venue) {
            let (names, condition) = (&[keys::PK, PENDING_FOR], "attribute_exists(#pk)");
            writes.push(self.changed_item(Change {
                key,
                update: "REMOVE #pendingFor",
                condition,
                names,
                values: vec![],
            })?);
        }
        writes.push(self.changed_item(progress_of(id, &Progress::Done)?)?);
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(0, Some(stored)) if !stored.contains_key(PENDING_FOR) => Ok(()),
            Transacted::Refused(index, _) => {
                Err(Error::internal(format!("write {index} of a publication was refused")))
            }
        }
    }

    /// Deletes a concert with all its entries; one that is not there stays so. Its bands and its venue stay.
    pub async fn delete_concert(&self, concert: &Concert) -> Result<(), Error> {
        let id = concert.concert_id;
        let mut writes = vec![self.absent_item(keys::concert(id))?];
        let line_up = concert.bands.iter().map(|band| keys::line_up_entry(id, band.band_id));
        for key in line_up.chain(places(id)) {
            writes.push(self.absent_item(key)?);
        }
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => Err(Error::internal("an unconditional removal was refused")),
        }
    }

    /// Deletes the concert of a request that was never published. Whether it has been published: then it stays.
    pub async fn discard_concert(&self, concert: ConcertId) -> Result<Discarded, Error> {
        self.discard(keys::concert(concert), concert).await
    }

    /// Records that a request failed, and why.
    pub async fn reject_request(&self, concert: ConcertId, reason: FailedStep) -> Result<(), Error> {
        match self.changed(progress_of(concert, &Progress::Failed { reason })?).await? {
            // A request that is not remembered any more has nobody to be told, one that ended has been told.
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }
}

/// The write that says how a request ended. What has ended stays as it ended.
fn progress_of(concert: ConcertId, progress: &Progress) -> Result<Change<'static>, Error> {
    Ok(Change {
        key: keys::concert_request(concert),
        update: "SET #progress = :progress",
        condition: "#progress = :pending",
        names: &[PROGRESS],
        values: vec![("progress", s(json(progress)?)), ("pending", s(json(&Progress::Pending)?))],
    })
}

/// The keys of the entries that tell where a concert is, beside the concert itself.
fn places(id: ConcertId) -> [Key; 2] {
    [keys::concert_place(id, Level::Middle), keys::concert_place(id, Level::Fine)]
}

/// The entries that a concert is found by, beside itself. Each holds the whole concert, so that a search reads no more
/// than its index.
fn entries(concert: &Concert) -> Result<Vec<Item>, Error> {
    let id = concert.concert_id;
    let content = to_item(concert)?;
    let entry = |key: Key, index: Item| {
        let mut item = content.clone();
        item.extend(key.primary());
        item.extend(index);
        item
    };
    let place = |level| {
        let cell = concert.venue.place.cell(level);
        entry(keys::concert_place(id, level), keys::concert_in_cell(&cell, concert.starts_at, id).gsi2())
    };
    let line_up = concert.bands.iter().map(|band| {
        let index = keys::concert_of_band(band.band_id, concert.starts_at, id).gsi1();
        entry(keys::line_up_entry(id, band.band_id), index)
    });
    Ok([place(Level::Middle), place(Level::Fine)].into_iter().chain(line_up).collect())
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("does not serialize: {error}")))
}

fn parse<T: serde::de::DeserializeOwned>(item: &Item, name: &str) -> Result<T, Error> {
    let parsed = text(item, name).and_then(|text| serde_json::from_str(text).ok());
    parsed.ok_or_else(|| Error::internal(format!("a request whose {name} does not read")))
}
