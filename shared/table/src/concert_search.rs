//! Finding concerts by who plays and by where they are.
//!
//! A search reads the concerts of each band or of each cell that the area meets, each list in order of time, a little
//! of each at once, and merges them. So it reads about as much as it answers, however many concerts there are
//! elsewhere or at other times.

use crate::{
    Table,
    item::{Item, from_item, s, text},
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

/// How many Queries one search makes at most. A page that would take more is short, and has a next page.
const MOST_QUERIES: usize = 120;

/// How many concerts a search by distance looks at at most: all of them have to be seen before the nearest is known.
const MOST_BY_DISTANCE: usize = 2000;

/// How many concerts each Query of a search by distance reads at most.
const READ_BY_DISTANCE: usize = 200;

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The next one first.
    Soonest,
    /// The last one first.
    Latest,
    /// The nearest first; needs an area.
    Nearest,
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Any of these plays; anybody if there are none.
    pub bands: Vec<BandId>,
    /// Where.
    pub area: Option<Area>,
    /// Not before this.
    pub from: Timestamp,
    /// Not after this.
    pub to: Timestamp,
    /// In which order.
    pub sort: Sort,
}

/// A concert that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The concert.
    pub concert: Concert,
    /// How far it is from the middle of the area, in kilometres.
    pub distance_km: Option<f64>,
}

/// A list that is being read: the concerts of a band or of a cell.
struct Source {
    index: (&'static str, &'static str, &'static str),
    partition: String,
    /// What was read and not yet used, with each one's place in the list.
    read: VecDeque<(String, Item)>,
    /// Where reading goes on; `None` at the end of the list.
    next: Option<String>,
}

impl Table {
    /// A page of the concerts that match, after a position: of a search by time `<startsAt>#<concertId>`, of a search
    /// by distance `<millimetres>#<concertId>`. A page may be short, and have a next page all the same.
    pub async fn concerts(
        &self,
        wanted: &Wanted,
        size: PageSize,
        after: Option<String>,
    ) -> Result<Page<Found, String>, Error> {
        match (wanted.sort, &wanted.area) {
            (Sort::Nearest, Some(area)) => self.nearest(wanted, area, size, after).await,
            (Sort::Nearest, None) => Err(Error::internal("a search by distance without a place")),
            (_, None) if wanted.bands.is_empty() => Err(Error::internal("a search without bands or a place")),
            (sort, _) => self.by_time(wanted, sort == Sort::Latest, size, after).await,
        }
    }

    async fn by_time(
        &self,
        wanted: &Wanted,
        latest: bool,
        size: PageSize,
        after: Option<String>,
    ) -> Result<Page<Found, String>, Error> {
        let mut sources = sources(wanted, after.as_deref());
        // About what the page takes from each list, and no less than makes a Query worth its while.
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
            let heads = sources.iter().filter_map(|source| source.read.front().map(|(place, _)| place));
            let Some(place) = if latest { heads.max() } else { heads.min() }.cloned() else {
                return Ok(Page { items: found, next: None });
            };
            if found.len() == size.get() {
                return Ok(Page { items: found, next: last });
            }
            // Two bands of one concert lead to it twice, at the same place.
            let mut item = None;
            for source in &mut sources {
                while source.read.front().is_some_and(|(head, _)| *head == place) {
                    item = source.read.pop_front().map(|(_, item)| item);
                }
            }
            found.extend(item.map(|item| matching(item, wanted)).transpose()?.flatten());
            last = Some(place);
        }
    }

    async fn nearest(
        &self,
        wanted: &Wanted,
        area: &Area,
        size: PageSize,
        after: Option<String>,
    ) -> Result<Page<Found, String>, Error> {
        let mut sources = sources(wanted, None);
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        let (mut looked_at, mut queries) = (0, 0);
        while sources.iter().any(|source| source.next.is_some()) {
            let open: Vec<_> = sources.iter_mut().filter(|source| source.next.is_some()).collect();
            queries += open.len();
            let reads =
                open.into_iter().map(|source| self.read_more(source, wanted, false, READ_BY_DISTANCE));
            try_join_all(reads).await?;
            for source in &mut sources {
                looked_at += source.read.len();
                for (place, item) in source.read.drain(..) {
                    if seen.insert(place) {
                        found.extend(matching(item, wanted)?);
                    }
                }
            }
            if looked_at > MOST_BY_DISTANCE || queries > MOST_QUERIES {
                let detail = "there are too many concerts to sort by distance: narrow the radius or the time";
                return Err(Error::invalid(Fault::parameter("sort", detail)));
            }
        }
        let place = |found: &Found| {
            let distance_km = found.distance_km.unwrap_or(area.radius_km);
            // Whole millimetres, in fixed width, sort as the distances do.
            format!("{:015.0}#{}", distance_km * 1e6, found.concert.concert_id)
        };
        let mut placed: Vec<_> = found.into_iter().map(|found| (place(&found), found)).collect();
        placed.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rest = placed.into_iter().filter(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        let mut page: Vec<_> = rest.take(size.get() + 1).collect();
        let more = page.len() > size.get();
        page.truncate(size.get());
        let next = page.last().filter(|_| more).map(|(place, _)| place.clone());
        Ok(Page { items: page.into_iter().map(|(_, found)| found).collect(), next })
    }

    /// Reads on in a list, within the time that is wanted.
    async fn read_more(
        &self,
        source: &mut Source,
        wanted: &Wanted,
        latest: bool,
        limit: usize,
    ) -> Result<(), Error> {
        let Some(after) = source.next.take() else { return Ok(()) };
        let (index, pk, sk) = source.index;
        // Both ends of BETWEEN are included; what was read last is dropped below. `~` sorts after every id.
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
            if let Some(place) = text(&item, sk).filter(|place| *place != after).map(str::to_owned) {
                source.read.push_back((place, item));
            }
        }
        Ok(())
    }
}

/// The lists that together hold all that can match. Few bands are read rather than many cells.
fn sources(wanted: &Wanted, after: Option<&str>) -> Vec<Source> {
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
fn matching(item: Item, wanted: &Wanted) -> Result<Option<Found>, Error> {
    let concert: Concert = from_item(item)?;
    Ok(match &wanted.area {
        None => Some(Found { concert, distance_km: None }),
        Some(area) => {
            let distance_km = area.distance_km(concert.venue.place);
            distance_km.map(|distance_km| Found { concert, distance_km: Some(distance_km) })
        }
    })
}
