//! Concerts: request, publication, undo and deletion.

use crate::{
    concert_support::{
        band, band_id, concert_id, home, near, prepare, request, request_with, requested_band,
        requested_venue, size, venue, venue_id, written, written_under,
    },
    hold, is_unavailable, together,
};
use domain::{
    Error,
    concert::{Concert, ConcertRequest, Progress},
    idempotency::{Idempotency, KEY_SECONDS},
    saga::FailedStep,
};
use serde_json::{Value, json};
use std::sync::Arc;
use table::{Discarded, Recorded, keys};
use tests::{
    Fault, World,
    samples::{later, now, once, user_id},
};

const NO_CONCERT: Error = Error::NotFound { what: "concert" };
const CONCERT: &str = "019aa251-4760-7000-8000-000000000001";

/// The total cost of a concert with one new band and a new venue, in write units: the sum of the steps below.
const WRITES_OF_A_CONCERT: f64 = 27.0;

fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
    items
}

/// Whether the concert is returned by a search by place, by a search by band, and by its id.
async fn seen(world: &World, concert: &Concert) -> [bool; 3] {
    let mut by_band = near(home(), 1.0);
    (by_band.bands, by_band.area) = (vec![concert.bands[0].band_id], None);
    let finds = async |wanted| {
        let found = world.table.concerts(wanted, size(20), None).await.unwrap();
        found.items.iter().any(|found| found.concert == *concert)
    };
    let page = world.table.concert(concert.concert_id).await;
    [finds(&near(home(), 1.0)).await, finds(&by_band).await, page.is_ok()]
}

async fn publish(world: &World, request: &ConcertRequest) {
    prepare(world, request).await;
    world.table.publish_concert(request, now()).await.unwrap();
}

#[tokio::test]
async fn a_request_is_remembered_with_all_that_it_takes() {
    let world = World::new();
    let (request, key) = (request(1), once("k", 1));
    let record = world.table.record_request(&request, &key);
    assert_eq!(world.measure("record_request", "", record).await, Ok(Recorded::Now));
    let record = json!({
        "pk": {"S": "USER#019aa251-4760-7000-8000-000000000007"}, "sk": {"S": "IDEMPOTENCY#concert-create#k"},
        "fingerprint": {"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},
        "id": {"S": CONCERT}, "ttl": {"N": "1763746227"},
    });
    let input = serde_json::to_string(&request).unwrap();
    let item = json!({
        "pk": {"S": format!("CONCERT#{CONCERT}")}, "sk": {"S": "REQUEST"},
        "input": {"S": input}, "progress": {"S": r#"{"status":"pending"}"#},
    });
    let entry = json!({"pk": {"S": "UNFINISHED#1"}, "sk": {"S": CONCERT}});
    assert_eq!(sorted(world.items()), [item, entry, record]);
    let read = world.table.request(concert_id(1));
    assert_eq!(world.measure("request", "", read).await, Ok((request, Progress::Pending)));
    assert_eq!(world.table.request(concert_id(2)).await, Err(NO_CONCERT));
}

#[tokio::test]
async fn the_same_request_again_is_the_one_before() {
    let world = World::new();
    let (user, key) = (user_id(7), once("k", 1));
    let before = world.table.concert_recorded_before(user, &key, now());
    assert_eq!(world.measure("concert_recorded_before", "", before).await, Ok(None));
    world.table.record_request(&request(1), &key).await.unwrap();
    let items = world.items();
    let before = world.table.concert_recorded_before(user, &key, now()).await;
    assert_eq!(before, Ok(Some(concert_id(1))));
    let again = request(2);
    let record = world.table.record_request(&again, &key);
    let recorded = world.measure("record_request", "recorded before", record).await;
    assert_eq!(recorded, Ok(Recorded::Before(concert_id(1))));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused_and_changes_nothing() {
    let world = World::new();
    let other = once("k", 2);
    world.table.record_request(&request(1), &once("k", 1)).await.unwrap();
    let items = world.items();
    let before = world.table.concert_recorded_before(user_id(7), &other, now()).await;
    assert_eq!(before, Err(Error::KeyReused));
    assert_eq!(world.table.record_request(&request(2), &other).await, Err(Error::KeyReused));
    assert_eq!(world.items(), items);
    let by_another = world.table.concert_recorded_before(user_id(8), &other, now()).await;
    assert_eq!(by_another, Ok(None), "a key belongs to its user");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_even_while_its_record_is_still_stored() {
    let world = World::new();
    let recorded = async |number, seconds, key: &Idempotency| {
        let mut request = request(number);
        request.created_at = later(seconds);
        world.table.record_request(&request, key).await
    };
    let before = async |seconds, key: &Idempotency| {
        world.table.concert_recorded_before(user_id(7), key, later(seconds)).await.unwrap()
    };
    assert_eq!(recorded(1, 0, &once("k", 1)).await, Ok(Recorded::Now));
    assert_eq!(before(KEY_SECONDS, &once("k", 1)).await, Some(concert_id(1)), "the last second counts");
    let last = recorded(2, KEY_SECONDS, &once("k", 1)).await;
    assert_eq!(last, Ok(Recorded::Before(concert_id(1))));
    assert_eq!(before(KEY_SECONDS + 1, &once("k", 2)).await, None);
    assert_eq!(recorded(3, KEY_SECONDS + 1, &once("k", 2)).await, Ok(Recorded::Now));
    assert_eq!(before(KEY_SECONDS + 1, &once("k", 2)).await, Some(concert_id(3)));
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_recorded_once() {
    let world = World::new();
    let key = once("k", 1);
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.record_request(&request(1), &key).await, Ok(Recorded::Now));
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.record_request(&request(2), &once("l", 1)).await));
    world.wire.heal();
    let again = world.table.record_request(&request(3), &once("l", 1)).await;
    assert_eq!(again, Ok(Recorded::Before(concert_id(2))));
    assert_eq!(world.items().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_20_concurrent_requests_with_one_key_is_recorded() {
    let world = Arc::new(World::new());
    hold(&world, "TransactWriteItems", 20);
    let recorded = together(&world, 20, async |world, number| {
        world.table.record_request(&request(number), &once("k", 1)).await.unwrap()
    })
    .await;
    let winner = recorded.iter().position(|recorded| *recorded == Recorded::Now).unwrap();
    let winner = concert_id(u32::try_from(winner).unwrap());
    let others = recorded.iter().filter(|recorded| **recorded == Recorded::Before(winner));
    assert_eq!(others.count(), 19);
    assert_eq!(world.items().len(), 3);
}

#[tokio::test]
async fn a_concert_is_prepared_unseen_and_once() {
    let world = World::new();
    let concert = request(1).concert();
    let prepared = world.table.prepare_concert(&concert);
    assert_eq!(world.measure("prepare_concert", "", prepared).await, Ok(()));
    let mut item = written(&concert).swap_remove(0);
    for name in ["gsi2pk", "gsi2sk"] {
        item.as_object_mut().unwrap().remove(name);
    }
    item["pendingFor"] = json!({"S": CONCERT});
    assert_eq!(world.items(), [item.clone()]);
    assert_eq!(seen(&world, &concert).await, [false; 3]);
    let again = world.table.prepare_concert(&concert);
    assert_eq!(world.measure("prepare_concert", "prepared before", again).await, Ok(()));
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(world.table.prepare_concert(&concert).await, Ok(()));
    assert_eq!(world.items(), [item]);
}

#[tokio::test]
async fn a_preparation_whose_answer_was_lost_is_one() {
    let world = World::new();
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(world.table.prepare_concert(&request(1).concert()).await, Ok(()));
    world.wire.always("PutItem", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.prepare_concert(&request(2).concert()).await));
    world.wire.heal();
    assert_eq!(world.table.prepare_concert(&request(2).concert()).await, Ok(()));
    assert_eq!(world.items().len(), 2);
}

#[tokio::test]
async fn a_concert_is_published_with_all_that_is_new_at_once() {
    let world = World::new();
    let (request, concert) = (request(1), request(1).concert());
    world.table.record_request(&request, &once("k", 1)).await.unwrap();
    prepare(&world, &request).await;
    let publish = world.table.publish_concert(&request, now());
    let published = world.measure("publish_concert", "of a new band and a new venue", publish).await;
    assert_eq!(published, Ok(()));

    let of_concert = world
        .items()
        .into_iter()
        .filter(|item| item["pk"]["S"] == format!("CONCERT#{CONCERT}") && item["sk"]["S"] != "REQUEST");
    assert_eq!(sorted(of_concert.collect()), sorted(written(&concert)));
    let band_key = keys::band(band_id(1));
    assert_eq!(world.item(&band_key), written_under(band_key.clone(), &band(1)));
    let venue_key = keys::venue(venue_id(1));
    assert_eq!(world.item(&venue_key), written_under(venue_key.clone(), &venue(1)));
    assert_eq!(world.table.request(concert_id(1)).await, Ok((request.clone(), Progress::Done)));
    assert_eq!(world.table.band(band_id(1)).await, Ok(band(1)));
    assert_eq!(world.table.venue(venue_id(1)).await, Ok(venue(1)));
    let read = world.table.concert(concert_id(1));
    assert_eq!(world.measure("concert", "", read).await.as_ref(), Ok(&concert));
    assert_eq!(seen(&world, &concert).await, [true; 3]);

    let items = world.items();
    let again = world.table.publish_concert(&request, now());
    assert_eq!(world.measure("publish_concert", "published before", again).await, Ok(()));
    assert_eq!(world.table.prepare_concert(&concert).await, Ok(()), "a late first step does no harm");
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn a_concert_of_what_is_there_already_costs_less() {
    let world = World::new();
    world.table.create_band(&band(1), None).await.unwrap();
    world.table.create_venue(&venue(1), None).await.unwrap();
    let request = request_with(2, vec![requested_band(1, false)], requested_venue(1, false));
    world.table.record_request(&request, &once("k", 1)).await.unwrap();
    prepare(&world, &request).await;
    let publish = world.table.publish_concert(&request, now());
    let published = world.measure("publish_concert", "of what is there already", publish).await;
    assert_eq!(published, Ok(()));
    assert_eq!(seen(&world, &request.concert()).await, [true; 3]);
}

#[tokio::test]
async fn a_concert_with_twenty_new_bands_is_published_in_one_transaction() {
    let world = World::new();
    let bands = (1..=20).map(|number| requested_band(number, true)).collect();
    let request = request_with(1, bands, requested_venue(1, true));
    world.table.record_request(&request, &once("k", 1)).await.unwrap();
    for band in &request.bands {
        world.table.prepare_band(&request.band(band), request.concert_id).await.unwrap();
    }
    world.table.prepare_venue(&request.new_venue(), request.concert_id).await.unwrap();
    let concert = request.concert();
    let prepared = world.table.prepare_concert(&concert);
    world.measure("prepare_concert", "of 20 bands", prepared).await.unwrap();
    let publish = world.table.publish_concert(&request, now());
    world.measure("publish_concert", "of 20 new bands and a new venue", publish).await.unwrap();
    assert_eq!(seen(&world, &concert).await, [true; 3]);
    let delete = world.table.delete_concert(&concert);
    world.measure("delete_concert", "of 20 bands", delete).await.unwrap();
    assert_eq!(world.items().len(), 24, "bands, venue, the request, its record and its entry");
}

#[tokio::test]
async fn a_publication_whose_answer_was_lost_is_one() {
    let world = World::new();
    for number in [1, 2] {
        world.table.record_request(&request(number), &once(&number.to_string(), 1)).await.unwrap();
        prepare(&world, &request(number)).await;
    }
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.publish_concert(&request(1), now()).await, Ok(()));
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    assert!(is_unavailable(&world.table.publish_concert(&request(2), now()).await));
    world.wire.heal();
    assert_eq!(world.table.publish_concert(&request(2), now()).await, Ok(()));
    for number in [1, 2] {
        assert_eq!(seen(&world, &request(number).concert()).await, [true; 3]);
    }
}

#[tokio::test]
async fn a_publication_that_never_arrived_shows_nothing() {
    let world = World::new();
    let request = request(1);
    world.table.record_request(&request, &once("k", 1)).await.unwrap();
    prepare(&world, &request).await;
    let before = world.items();
    world.wire.always("TransactWriteItems", Fault::Unreachable);
    assert!(is_unavailable(&world.table.publish_concert(&request, now()).await));
    assert_eq!(world.items(), before);
    assert_eq!(seen(&world, &request.concert()).await, [false; 3]);
    assert_eq!(world.table.concert(concert_id(1)).await, Err(NO_CONCERT));
}

/// If an item of the request is missing, or the concert was undone, the publication writes nothing.
#[tokio::test]
async fn an_incomplete_concert_is_not_published() {
    let world = World::new();
    let request = request(1);
    world.table.record_request(&request, &once("k", 1)).await.unwrap();
    world.table.prepare_band(&band(1), concert_id(1)).await.unwrap();
    let before = world.items();
    let published = world.table.publish_concert(&request, now()).await;
    assert!(matches!(published, Err(Error::Internal { .. })), "{published:?}");
    assert_eq!(world.items(), before);
    prepare(&world, &request).await;
    world.table.discard_concert(concert_id(1)).await.unwrap();
    let before = world.items();
    let published = world.table.publish_concert(&request, now()).await;
    assert!(matches!(published, Err(Error::Internal { .. })), "{published:?}");
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_concert_that_was_not_published_is_discarded_and_stays_so() {
    let world = World::new();
    prepare(&world, &request(1)).await;
    let discard = world.table.discard_concert(concert_id(1));
    assert_eq!(world.measure("discard_concert", "", discard).await, Ok(Discarded::Gone));
    let items = world.items();
    assert_eq!(items.len(), 2, "the band and the venue");
    let again = world.table.discard_concert(concert_id(1));
    assert_eq!(world.measure("discard_concert", "discarded before", again).await, Ok(Discarded::Gone));
    assert_eq!(world.items(), items);
    for _ in 0..2 {
        prepare(&world, &request(1)).await;
        world.wire.next("DeleteItem", [Fault::AnswerLost]);
        assert_eq!(world.table.discard_concert(concert_id(1)).await, Ok(Discarded::Gone));
    }
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn a_concert_that_was_published_is_not_discarded() {
    let world = World::new();
    world.table.record_request(&request(1), &once("k", 1)).await.unwrap();
    publish(&world, &request(1)).await;
    let items = world.items();
    let discard = world.table.discard_concert(concert_id(1));
    let discarded = world.measure("discard_concert", "published", discard).await;
    assert_eq!(discarded, Ok(Discarded::Published));
    let reason = FailedStep { step: "concert-publish".into(), detail: "it took too long".into() };
    assert_eq!(world.table.reject_request(concert_id(1), reason, now()).await, Ok(()));
    assert_eq!(world.items(), items, "what has ended stays as it ended");
}

#[tokio::test]
async fn a_deleted_concert_leaves_no_entry_and_its_bands_and_venue_stay() {
    let world = World::new();
    for number in [1, 2] {
        world.table.record_request(&request(number), &once(&number.to_string(), 1)).await.unwrap();
        publish(&world, &request(number)).await;
    }
    let concert = request(1).concert();
    let mut expected = world.items();
    expected.retain(|item| item["pk"]["S"] != format!("CONCERT#{CONCERT}") || item["sk"]["S"] == "REQUEST");
    let delete = world.table.delete_concert(&concert);
    assert_eq!(world.measure("delete_concert", "", delete).await, Ok(()));
    assert_eq!(world.items(), expected);
    assert_eq!(seen(&world, &concert).await, [false; 3]);
    assert_eq!(seen(&world, &request(2).concert()).await, [true; 3]);
    let again = world.table.delete_concert(&concert);
    assert_eq!(world.measure("delete_concert", "deleted before", again).await, Ok(()));
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.delete_concert(&concert).await, Ok(()));
    assert_eq!(world.items(), expected);
    assert_eq!(world.table.band(band_id(1)).await, Ok(band(1)));
    assert_eq!(world.table.venue(venue_id(1)).await, Ok(venue(1)));
}

/// The owner deletes the concert before the last step has received the response to its publication.
#[tokio::test]
async fn a_late_undo_of_a_deleted_concert_touches_nothing() {
    let world = World::new();
    world.table.record_request(&request(1), &once("k", 1)).await.unwrap();
    publish(&world, &request(1)).await;
    world.table.delete_concert(&request(1).concert()).await.unwrap();
    let items = world.items();
    let again = world.table.publish_concert(&request(1), now()).await;
    assert!(matches!(again, Err(Error::Internal { .. })), "{again:?}");
    assert_eq!(world.table.discard_concert(concert_id(1)).await, Ok(Discarded::Gone));
    assert_eq!(world.table.discard_venue(venue_id(1), concert_id(1)).await, Ok(Discarded::Published));
    assert_eq!(world.table.discard_band(band_id(1), concert_id(1)).await, Ok(Discarded::Published));
    let reason = FailedStep { step: "concert-publish".into(), detail: "it took too long".into() };
    assert_eq!(world.table.reject_request(concert_id(1), reason, now()).await, Ok(()));
    assert_eq!(world.items(), items);
}

#[tokio::test]
async fn a_request_that_failed_says_at_which_step_and_why() {
    let world = World::new();
    let reason = FailedStep { step: "venue-prepare".into(), detail: "it took too long".into() };
    world.table.record_request(&request(1), &once("k", 1)).await.unwrap();
    let reject = world.table.reject_request(concert_id(1), reason.clone(), now());
    assert_eq!(world.measure("reject_request", "", reject).await, Ok(()));
    let failed = Progress::Failed { reason: reason.clone() };
    assert_eq!(world.table.request(concert_id(1)).await, Ok((request(1), failed)));
    let stored = world.item(&keys::concert_request(concert_id(1)));
    let expected = r#"{"status":"failed","reason":{"step":"venue-prepare","detail":"it took too long"}}"#;
    assert_eq!(stored["progress"], json!({"S": expected}));
    assert_eq!(
        (&stored["endedAt"], &stored["ttl"]),
        (&json!({"N": "1763659827040"}), &json!({"N": "1763746227"})),
        "it expires a day after its end"
    );
    assert_eq!(world.table.reject_request(concert_id(2), reason, now()).await, Ok(()), "nobody remembers it");
    assert_eq!(world.items().len(), 3);
}

/// The writes of `POST /concerts` with a new band and a new venue, from the recorded request to the last step.
#[tokio::test]
async fn a_concert_with_a_new_band_and_a_new_venue_costs_in_all() {
    let world = World::new();
    let request = request(1);
    world.measured();
    world.table.record_request(&request, &once("k", 1)).await.unwrap();
    publish(&world, &request).await;
    let cost = world.measured().write;
    assert!((cost - WRITES_OF_A_CONCERT).abs() < 0.1, "{cost}");
}
