//! Search of concerts by band, by distance from a point, or both.
//!
//! A search reads one list for each band, or for each geographic cell that intersects the area. Each list is sorted by
//! start time; the search reads the lists in small pages and merges them. So the number of items read is close to the
//! number returned, whatever the number of concerts elsewhere or at other times.

use crate::{
    engine::{
        item::{Item, from_item, s, text},
        table::Table,
    },
    keys::{self, GSI1, GSI1_PK, GSI1_SK, GSI2, GSI2_PK, GSI2_SK},
};
use domain::{
    Error, Fault, Timestamp,
    concert::Concert,
    geo::Area,
    id::BandId,
    page::{Page, PageSize},
};
use futures::future::try_join_all;
use std::collections::{HashSet, VecDeque};

/// The maximum number of Queries of one search. A page that would need more is short and has a next page.
const MOST_QUERIES: usize = 120;

/// The maximum number of concerts that a search by distance reads: it must read all matches to find the nearest.
const MOST_BY_DISTANCE: usize = 2000;

/// The page size of each Query of a search by distance.
const READ_BY_DISTANCE: usize = 200;

/// The order of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By start time, ascending.
    Soonest,
    /// By start time, descending.
    Latest,
    /// By distance, ascending; needs an area.
    Nearest,
}

/// The criteria of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct ConcertQuery {
    /// Concerts of any of these bands; of all bands if empty.
    pub bands: Vec<BandId>,
    /// Concerts in this area.
    pub area: Option<Area>,
    /// The earliest start time.
    pub from: Timestamp,
    /// The latest start time.
    pub to: Timestamp,
    /// The order of the results.
    pub sort: Sort,
}

/// A search result.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundConcert {
    /// The concert.
    pub concert: Concert,
    /// The distance from the centre of the area in kilometres.
    pub distance_km: Option<f64>,
}

/// A list that the search reads: the concerts of a band or of a cell.
struct Source {
    index: (&'static str, &'static str, &'static str),
    partition: String,
    /// Items that were read and not yet merged, with their sort keys.
    read: VecDeque<(String, Item)>,
    /// The sort key after which the next Query starts; `None` at the end of the list.
    next: Option<String>,
}

impl Table {
    /// A page of the matching concerts after a position: `<startsAt>#<concertId>` when sorted by time,
    /// `<millimetres>#<concertId>` when sorted by distance. A page may be short and still have a next page.
    pub async fn concerts(
        &self,
        wanted: &ConcertQuery,
        size: PageSize,
        after: Option<String>,
    ) -> Result<Page<FoundConcert, String>, Error> {
        match (wanted.sort, &wanted.area) {
            (Sort::Nearest, Some(area)) => self.nearest(wanted, area, size, after).await,
            (Sort::Nearest, None) => Err(Error::internal("a search by distance needs an area")),
            (_, None) if wanted.bands.is_empty() => Err(Error::internal("a search needs bands or an area")),
            (sort, _) => self.by_time(wanted, sort == Sort::Latest, size, after).await,
        }
    }

    async fn by_time(
        &self,
        wanted: &ConcertQuery,
        latest: bool,
        size: PageSize,
        after: Option<String>,
    ) -> Result<Page<FoundConcert, String>, Error> {
        let mut sources = sources(wanted, after.as_deref());
        // About the page's share of each list, but at least 8, to keep the number of Queries low.
        let read = size.get().div_ceil(sources.len()).max(8) + 1;
        let (mut found, mut last, mut queries) = (Vec::new(), after, 0);
        loop {
            let empty = sources.iter_mut().filter(|source| source.read.is_empty() && source.next.is_some());
            let empty: Vec<_> = empty.collect();
            queries += empty.len();
            if queries > MOST_QUERIES {
                return Ok(Page { items: found, next: last });
            }
            try_join_all(empty.into_iter().map(|source| self.read_more(source, wanted, latest, read)))
                .await?;
            let heads = sources.iter().filter_map(|source| source.read.front().map(|(position, _)| position));
            let Some(position) = if latest { heads.max() } else { heads.min() }.cloned() else {
                return Ok(Page { items: found, next: None });
            };
            if found.len() == size.get() {
                return Ok(Page { items: found, next: last });
            }
            // A concert of two searched bands is in two lists, with the same sort key.
            let mut item = None;
            for source in &mut sources {
                while source.read.front().is_some_and(|(head, _)| *head == position) {
                    item = source.read.pop_front().map(|(_, item)| item);
                }
            }
            found.extend(item.map(|item| matching(item, wanted)).transpose()?.flatten());
            last = Some(position);
        }
    }

    async fn nearest(
        &self,
        wanted: &ConcertQuery,
        area: &Area,
        size: PageSize,
        after: Option<String>,
    ) -> Result<Page<FoundConcert, String>, Error> {
        let mut sources = sources(wanted, None);
        let (mut visited, mut found) = (HashSet::new(), Vec::new());
        let (mut items_read, mut queries) = (0, 0);
        while sources.iter().any(|source| source.next.is_some()) {
            let open: Vec<_> = sources.iter_mut().filter(|source| source.next.is_some()).collect();
            queries += open.len();
            let reads =
                open.into_iter().map(|source| self.read_more(source, wanted, false, READ_BY_DISTANCE));
            try_join_all(reads).await?;
            for source in &mut sources {
                items_read += source.read.len();
                for (position, item) in source.read.drain(..) {
                    if visited.insert(position) {
                        found.extend(matching(item, wanted)?);
                    }
                }
            }
            if items_read > MOST_BY_DISTANCE || queries > MOST_QUERIES {
                let detail = "there are too many concerts to sort by distance: narrow the radius or the time";
                return Err(Error::invalid(Fault::parameter("sort", detail)));
            }
        }
        let position_of = |found: &FoundConcert| {
            let distance_km = found.distance_km.unwrap_or(area.radius_km);
            // Whole millimetres in fixed width: text sorts as the distances do.
            format!("{:015.0}#{}", distance_km * 1e6, found.concert.concert_id)
        };
        let mut sorted: Vec<_> = found.into_iter().map(|found| (position_of(&found), found)).collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rest =
            sorted.into_iter().filter(|(position, _)| after.as_ref().is_none_or(|after| position > after));
        let mut page: Vec<_> = rest.take(size.get() + 1).collect();
        let more = page.len() > size.get();
        page.truncate(size.get());
        let next = page.last().filter(|_| more).map(|(position, _)| position.clone());
        Ok(Page { items: page.into_iter().map(|(_, found)| found).collect(), next })
    }

    /// Reads the next items of a list, within the query's start times.
    async fn read_more(
        &self,
        source: &mut Source,
        wanted: &ConcertQuery,
        latest: bool,
        limit: usize,
    ) -> Result<(), Error> {
        let Some(after) = source.next.take() else { return Ok(()) };
        let (index, pk, sk) = source.index;
        // BETWEEN includes both bounds; the item read last is dropped below. `~` sorts after every id.
        let (lowest, highest) = (wanted.from.to_string(), format!("{}#~", wanted.to));
        let (lowest, highest) = match (after.is_empty(), latest) {
            (true, _) => (lowest, highest),
            (false, false) => (after.clone().max(lowest), highest),
            (false, true) => (lowest, after.clone().min(highest)),
        };
        if lowest > highest {
            return Ok(());
        }
        let query = self
            .client()
            .query()
            .index_name(index)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :lowest AND :highest")
            .expression_attribute_names("#pk", pk)
            .expression_attribute_names("#sk", sk)
            .expression_attribute_values(":pk", s(&source.partition))
            .expression_attribute_values(":lowest", s(lowest))
            .expression_attribute_values(":highest", s(highest))
            .scan_index_forward(!latest)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let sent = self.query(query).await?;
        source.next = sent.last_evaluated_key().and_then(|key| text(key, sk)).map(str::to_owned);
        for item in sent.items.unwrap_or_default() {
            if let Some(position) = text(&item, sk).filter(|position| *position != after).map(str::to_owned) {
                source.read.push_back((position, item));
            }
        }
        Ok(())
    }
}

/// The lists that together contain all matches. With bands and an area, the few bands are read, not the many cells.
fn sources(wanted: &ConcertQuery, after: Option<&str>) -> Vec<Source> {
    let source = |index, partition| Source {
        index,
        partition,
        read: VecDeque::new(),
        next: Some(after.unwrap_or_default().to_owned()),
    };
    let by_band = |id: &BandId| source((GSI1, GSI1_PK, GSI1_SK), keys::band_partition(*id));
    let by_cell = |cell: String| source((GSI2, GSI2_PK, GSI2_SK), keys::cell_partition(&cell));
    match &wanted.area {
        Some(area) if wanted.bands.is_empty() => area.cells().into_iter().map(by_cell).collect(),
        _ => wanted.bands.iter().map(by_band).collect(),
    }
}

/// The concert of an item, if it is in the area.
fn matching(item: Item, wanted: &ConcertQuery) -> Result<Option<FoundConcert>, Error> {
    let concert: Concert = from_item(item)?;
    Ok(match &wanted.area {
        None => Some(FoundConcert { concert, distance_km: None }),
        Some(area) => {
            let distance_km = area.distance_km(concert.venue.place);
            distance_km.map(|distance_km| FoundConcert { concert, distance_km: Some(distance_km) })
        }
    })
}
