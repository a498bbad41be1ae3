//! Bands and venues: created separately, and as parts of a concert request.

use crate::concert_support::{band, band_id, concert_id, venue, venue_id};
use crate::{hold, is_unavailable, together};
use domain::{
    Error,
    idempotency::{Creation, StoredResponse},
};
use serde_json::{Value, json};
use std::sync::Arc;
use table::Discarded;
use tests::{Fault, World, samples::once};

const NO_BAND: Error = Error::NotFound { what: "band" };
const NO_VENUE: Error = Error::NotFound { what: "venue" };
const BAND: &str = "019aa251-4760-7000-8000-000000000001";
const OWNER: &str = "019aa251-4760-7000-8000-000000000007";
const CONCERT: &str = "019aa251-4760-7000-8000-000000000009";

fn band_item() -> Value {
    json!({
        "pk": {"S": format!("BAND#{BAND}")}, "sk": {"S": "BAND"},
        "bandId": {"S": BAND}, "ownerId": {"S": OWNER}, "name": {"S": "Band 1"}, "genre": {"S": "Jazz"},
        "createdAt": {"S": "2025-11-20T17:30:27.040Z"},
    })
}

fn venue_item() -> Value {
    json!({
        "pk": {"S": format!("VENUE#{BAND}")}, "sk": {"S": "VENUE"},
        "venueId": {"S": BAND}, "ownerId": {"S": OWNER}, "name": {"S": "Hall 1"}, "address": {"S": "1 Road"},
        "latitude": {"N": "1.25"}, "longitude": {"N": "103.75"}, "timeZone": {"S": "Asia/Singapore"},
        "createdAt": {"S": "2025-11-20T17:30:27.040Z"},
    })
}

fn pending(mut item: Value) -> Value {
    item["pendingFor"] = json!({"S": CONCERT});
    item
}

fn answer() -> StoredResponse {
    StoredResponse { status: 201, headers: Vec::new(), body: "{}".to_owned() }
}

/// A fault of an eventually consistent read: the item is not returned yet.
fn nothing_yet() -> Fault {
    Fault::Altered(Arc::new(|answer: &mut Value| answer["Item"] = Value::Null))
}

#[tokio::test]
async fn a_band_is_one_item_and_reads_as_it_was_written() {
    let world = World::new();
    let band = band(1);
    let create = world.table.create_band(&band, None);
    assert_eq!(world.measure("create_band", "without a key", create).await, Ok(Creation::New));
    assert_eq!(world.items(), [band_item()]);
    let read = world.table.band(band_id(1));
    assert_eq!(world.measure("band", "", read).await, Ok(band));
    let read = world.table.band(band_id(2));
    assert_eq!(world.measure("band", "not there", read).await, Err(NO_BAND));
}

#[tokio::test]
async fn a_venue_is_one_item_and_reads_as_it_was_written() {
    let world = World::new();
    let venue = venue(1);
    let create = world.table.create_venue(&venue, None);
    assert_eq!(world.measure("create_venue", "without a key", create).await, Ok(Creation::New));
    assert_eq!(world.items(), [venue_item()]);
    let read = world.table.venue(venue_id(1));
    assert_eq!(world.measure("venue", "", read).await, Ok(venue));
    let read = world.table.venue(venue_id(2));
    assert_eq!(world.measure("venue", "not there", read).await, Err(NO_VENUE));
}

#[tokio::test]
async fn a_band_with_a_key_is_created_once() {
    let world = World::new();
    let (key, other, answer) = (once("k", 1), once("k", 2), answer());
    let first = band(1);
    let create = world.table.create_band(&first, Some((&key, &answer)));
    assert_eq!(world.measure("create_band", "with a key", create).await, Ok(Creation::New));
    let before = world.items();
    assert_eq!(before.len(), 2);
    let second = band(2);
    let create = world.table.create_band(&second, Some((&key, &answer)));
    let replayed = world.measure("create_band", "with a key used before", create).await;
    assert_eq!(replayed, Ok(Creation::Replayed(answer.clone())));
    let reused = world.table.create_band(&band(2), Some((&other, &answer))).await;
    assert_eq!(reused, Err(Error::KeyReused));
    assert_eq!(world.items(), before);
    let of_another_operation = world.table.create_venue(&venue(1), Some((&other, &answer))).await;
    assert_eq!(of_another_operation, Ok(Creation::New));
}

#[tokio::test]
async fn a_venue_with_a_key_is_created_once() {
    let world = World::new();
    let (key, other, answer) = (once("k", 1), once("k", 2), answer());
    let first = venue(1);
    let create = world.table.create_venue(&first, Some((&key, &answer)));
    assert_eq!(world.measure("create_venue", "with a key", create).await, Ok(Creation::New));
    let before = world.items();
    let second = venue(2);
    let create = world.table.create_venue(&second, Some((&key, &answer)));
    let replayed = world.measure("create_venue", "with a key used before", create).await;
    assert_eq!(replayed, Ok(Creation::Replayed(answer.clone())));
    let reused = world.table.create_venue(&venue(2), Some((&other, &answer))).await;
    assert_eq!(reused, Err(Error::KeyReused));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_stored_once() {
    let world = World::new();
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.create_band(&band(1), None).await, Ok(Creation::New));
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    let (key, answer) = (once("k", 1), answer());
    assert_eq!(world.table.create_venue(&venue(1), Some((&key, &answer))).await, Ok(Creation::New));
    assert_eq!(world.items().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_concurrent_bands_with_one_key_create_one() {
    let world = Arc::new(World::new());
    hold(&world, "TransactWriteItems", 20);
    let outcomes = together(&world, 20, async |world, number| {
        world.table.create_band(&band(number), Some((&once("k", 1), &answer()))).await.unwrap()
    })
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Creation::New).count(), 1);
    assert_eq!(world.items().len(), 2);
}

#[tokio::test]
async fn new_bands_and_venues_are_readable_at_once() {
    let world = World::new();
    world.table.create_band(&band(1), None).await.unwrap();
    world.table.create_venue(&venue(1), None).await.unwrap();
    world.wire.next("GetItem", [nothing_yet()]);
    assert_eq!(world.table.band(band_id(1)).await, Ok(band(1)));
    world.wire.next("GetItem", [nothing_yet()]);
    assert_eq!(world.table.venue(venue_id(1)).await, Ok(venue(1)));
    world.wire.next("GetItem", [nothing_yet(), nothing_yet()]);
    let known = world.table.referenced(&[band_id(1)], Some(venue_id(1))).await.unwrap();
    assert_eq!((known.bands.get(&band_id(1)), known.venue), (Some(&band(1)), Some(venue(1))));
}

/// The eventually consistent first read returns the band as it was before the publication.
#[tokio::test]
async fn a_band_published_a_moment_ago_is_readable() {
    let world = World::new();
    world.table.create_band(&band(1), None).await.unwrap();
    let still_pending =
        Fault::Altered(Arc::new(|answer: &mut Value| answer["Item"]["pendingFor"] = json!({"S": CONCERT})));
    world.wire.next("GetItem", [still_pending]);
    assert_eq!(world.table.band(band_id(1)).await, Ok(band(1)));
}

#[tokio::test]
async fn items_of_an_unpublished_request_are_not_readable() {
    let world = World::new();
    world.table.prepare_band(&band(1), concert_id(9)).await.unwrap();
    world.table.prepare_venue(&venue(1), concert_id(9)).await.unwrap();
    let read = world.table.band(band_id(1));
    assert_eq!(world.measure("band", "of a request", read).await, Err(NO_BAND));
    let read = world.table.venue(venue_id(1));
    assert_eq!(world.measure("venue", "of a request", read).await, Err(NO_VENUE));
    let known = world.table.referenced(&[band_id(1)], Some(venue_id(1))).await.unwrap();
    assert_eq!((known.bands.len(), known.venue), (0, None));
}

#[tokio::test]
async fn only_readable_bands_and_venues_can_be_referenced() {
    let world = World::new();
    for number in [1, 2] {
        world.table.create_band(&band(number), None).await.unwrap();
    }
    world.table.prepare_band(&band(3), concert_id(9)).await.unwrap();
    world.table.create_venue(&venue(1), None).await.unwrap();
    let (two, all) = ([1, 2].map(band_id), [1, 2, 3, 4].map(band_id));
    let known = world.table.referenced(&two, Some(venue_id(1)));
    let known = world.measure("referenced", "two bands and a venue", known).await.unwrap();
    assert_eq!((known.bands.len(), known.venue), (2, Some(venue(1))));
    let known = world.table.referenced(&all, Some(venue_id(2))).await.unwrap();
    let mut bands: Vec<_> = known.bands.into_values().collect();
    bands.sort_by_key(|band| band.band_id);
    assert_eq!((bands, known.venue), (vec![band(1), band(2)], None));
    let nothing = world.table.referenced(&[], None).await.unwrap();
    assert_eq!((nothing.bands.len(), nothing.venue), (0, None));
}

#[tokio::test]
async fn a_band_of_a_request_is_stored_with_the_request_that_it_is_for() {
    let world = World::new();
    let (band, concert) = (band(1), concert_id(9));
    let prepare = world.table.prepare_band(&band, concert);
    assert_eq!(world.measure("prepare_band", "", prepare).await, Ok(()));
    assert_eq!(world.items(), [pending(band_item())]);
    let again = world.table.prepare_band(&band, concert);
    assert_eq!(world.measure("prepare_band", "prepared before", again).await, Ok(()));
    assert_eq!(world.items(), [pending(band_item())]);
}

#[tokio::test]
async fn a_venue_of_a_request_is_stored_with_the_request_that_it_is_for() {
    let world = World::new();
    let (venue, concert) = (venue(1), concert_id(9));
    let prepare = world.table.prepare_venue(&venue, concert);
    assert_eq!(world.measure("prepare_venue", "", prepare).await, Ok(()));
    assert_eq!(world.items(), [pending(venue_item())]);
    let again = world.table.prepare_venue(&venue, concert);
    assert_eq!(world.measure("prepare_venue", "prepared before", again).await, Ok(()));
    assert_eq!(world.items(), [pending(venue_item())]);
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_has_done_its_work_once() {
    let world = World::new();
    let concert = concert_id(9);
    world.wire.next("PutItem", [Fault::AnswerLost, Fault::AnswerLost]);
    assert_eq!(world.table.prepare_band(&band(1), concert).await, Ok(()));
    world.wire.always("PutItem", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.prepare_venue(&venue(1), concert).await));
    world.wire.heal();
    assert_eq!(world.table.prepare_venue(&venue(1), concert).await, Ok(()));
    assert_eq!(world.items().len(), 2);
    world.wire.next("DeleteItem", [Fault::AnswerLost]);
    assert_eq!(world.table.discard_band(band_id(1), concert).await, Ok(Discarded::Gone));
    world.wire.always("DeleteItem", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.discard_venue(venue_id(1), concert).await));
    world.wire.heal();
    assert_eq!(world.table.discard_venue(venue_id(1), concert).await, Ok(Discarded::Gone));
    assert_eq!(world.items(), [Value::Null; 0]);
}

/// A late step leaves published items and items of another request unchanged.
#[tokio::test]
async fn a_step_does_not_touch_what_belongs_to_another_or_can_be_seen() {
    let world = World::new();
    let (there, pending, late) = (1, 2, concert_id(9));
    world.table.create_band(&band(there), None).await.unwrap();
    world.table.prepare_band(&band(pending), concert_id(8)).await.unwrap();
    world.table.create_venue(&venue(there), None).await.unwrap();
    world.table.prepare_venue(&venue(pending), concert_id(8)).await.unwrap();
    let before = world.items();
    let prepared = world.table.prepare_band(&band(pending), late).await;
    assert!(matches!(prepared, Err(Error::Internal { .. })), "{prepared:?}");
    let prepared = world.table.prepare_venue(&venue(pending), late).await;
    assert!(matches!(prepared, Err(Error::Internal { .. })), "{prepared:?}");
    assert_eq!(world.table.prepare_band(&band(there), late).await, Ok(()));
    assert_eq!(world.table.prepare_venue(&venue(there), late).await, Ok(()));
    let discard = world.table.discard_band(band_id(there), late);
    assert_eq!(world.measure("discard_band", "published", discard).await, Ok(Discarded::Published));
    let discard = world.table.discard_venue(venue_id(there), late);
    assert_eq!(world.measure("discard_venue", "published", discard).await, Ok(Discarded::Published));
    assert_eq!(world.table.discard_band(band_id(pending), late).await, Ok(Discarded::Published));
    assert_eq!(world.table.discard_venue(venue_id(pending), late).await, Ok(Discarded::Published));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn an_undo_deletes_the_items_of_its_request_for_good() {
    let world = World::new();
    let (band_id, venue_id, concert) = (band_id(1), venue_id(1), concert_id(9));
    world.table.prepare_band(&band(1), concert).await.unwrap();
    world.table.prepare_venue(&venue(1), concert).await.unwrap();
    let discard = world.table.discard_band(band_id, concert);
    assert_eq!(world.measure("discard_band", "", discard).await, Ok(Discarded::Gone));
    let discard = world.table.discard_venue(venue_id, concert);
    assert_eq!(world.measure("discard_venue", "", discard).await, Ok(Discarded::Gone));
    assert_eq!(world.items(), [Value::Null; 0]);
    let again = world.table.discard_band(band_id, concert);
    assert_eq!(world.measure("discard_band", "discarded before", again).await, Ok(Discarded::Gone));
    let again = world.table.discard_venue(venue_id, concert);
    assert_eq!(world.measure("discard_venue", "discarded before", again).await, Ok(Discarded::Gone));
}
