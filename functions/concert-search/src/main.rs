//! `GET /concerts`: searches concerts by band, by distance from a point, or both.

use app::{limits::Searches, table::Table};
use domain::{
    Timestamp,
    concert::Concert,
    geo::{Area, Coordinates, LARGEST_RADIUS_KM},
    id::BandId,
    page::PageSize,
};
use serde::Serialize;
use table::{ConcertQuery, FoundConcert, Sort};
use web::{Problem, Request, Response, cursor, respond};

const MOST_BANDS: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    concert: Concert,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_km: Option<f64>,
}

app::clients! { table: Table, searches: Searches }

fn main() -> runtime::Exit {
    runtime::serve(search_concerts)
}

async fn search_concerts(app: &App, request: Request) -> Result<Response, Problem> {
    let list = request.query().encode_without(&["limit", "cursor"]);
    let (wanted, size, after) = read(&request, &list)?;
    app.searches.admit(&request.source_network(), request.received_at)?;
    let page = app.table.concerts(&wanted, size, after).await?;
    let show = |FoundConcert { concert, distance_km }| Shown { concert, distance_km };
    let items: Vec<_> = page.items.into_iter().map(show).collect();
    let next = page.next.map(|next| cursor::encode(&list, &next));
    respond::page(&items, next.as_deref(), |cursor| {
        format!("/concerts?{list}&limit={}&cursor={cursor}", size.get())
    })
}

fn read(request: &Request, list: &str) -> Result<(ConcertQuery, PageSize, Option<String>), Problem> {
    let mut query = request.query();
    query.together(&["latitude", "longitude", "radius"], "bandIds");
    let bands = query.optional("bandIds", |text| bands(&text));
    let latitude = query.optional("latitude", |text| number(&text, -90.0, 90.0));
    let longitude = query.optional("longitude", |text| number(&text, -180.0, 180.0));
    let radius_km = query.optional("radius", |text| match number(&text, 0.0, LARGEST_RADIUS_KM) {
        Ok(radius_km) if radius_km > 0.0 => Ok(radius_km),
        _ => Err(format!("must be a number of kilometres, more than 0 and at most {LARGEST_RADIUS_KM}")),
    });
    let from = query.optional("from", |text| time(&text)).unwrap_or(request.received_at);
    let to = query.optional("to", |text| time(&text)).unwrap_or(Timestamp::from_unix_milliseconds(u64::MAX));
    let area = || {
        Some(Area {
            center: Coordinates { latitude: latitude?, longitude: longitude? },
            radius_km: radius_km?,
        })
    };
    let area = area();
    let sort = query.optional("sort", |text| match (text.as_str(), area) {
        ("startsAt", _) => Ok(Sort::Soonest),
        ("-startsAt", _) => Ok(Sort::Latest),
        ("distance", Some(_)) => Ok(Sort::Nearest),
        _ => Err("must be startsAt, -startsAt or, with a place, distance".to_owned()),
    });
    let sort = sort.unwrap_or(Sort::Soonest);
    let size = query.page_size();
    let after = query.cursor(list);
    let wanted = ConcertQuery { bands: bands.unwrap_or_default(), area, from, to, sort };
    query.finish(|| Some((wanted, size, after)))
}

fn bands(text: &str) -> Result<Vec<BandId>, String> {
    let mut bands: Vec<BandId> =
        text.split(',').map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
    bands.sort_unstable();
    bands.dedup();
    let fits = (1..=MOST_BANDS).contains(&bands.len());
    if fits { Ok(bands) } else { Err(format!("must be 1 to {MOST_BANDS} ids of bands, parted by commas")) }
}

fn number(text: &str, lowest: f64, highest: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (lowest..=highest).contains(number));
    number.ok_or_else(|| format!("must be a number from {lowest} to {highest}"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be an RFC 3339 date and time since 1970".to_owned())
}
