//! Batches of visitors' events, and what they cost by the number of events of a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Error, Input,
    event_batch::{EventBatch, EventUpload},
};
use serde_json::{Value, json};
use table::{keys, stored_events};
use tests::{
    Fault, World,
    samples::{self, later, now},
};

fn visit(count: usize) -> Vec<Value> {
    samples::visit(7, count)
}

fn batch(events: &[Value], more: &Value) -> EventBatch {
    let mut body = json!({"batch": events, "sentAt": now()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    EventUpload::from_json(body).unwrap().received(now()).unwrap()
}

fn batches(size: usize) -> Vec<EventBatch> {
    visit(1000).chunks(size).map(|events| batch(events, &json!({}))).collect()
}

fn stored(world: &World, batch: &EventBatch) -> EventBatch {
    let item = world.item(&keys::event_batch(batch.id));
    let events = STANDARD.decode(item["events"]["B"].as_str().unwrap()).unwrap();
    stored_events(batch.id, &events).unwrap()
}

const ID: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";

#[tokio::test]
async fn one_item_has_all_events_of_a_request() {
    let world = World::new();
    let batch = batch(&visit(3), &json!({"batchId": ID}));
    world.table.store_events(&batch).await.unwrap();
    let items = world.items();
    assert_eq!((items.len(), &items[0]["pk"]["S"]), (1, &json!(format!("EVENTS#{ID}"))));
    assert_eq!(items[0]["sk"]["S"], "EVENTS");
    assert_eq!(items[0]["ttl"]["N"], later(7 * 86_400).unix_seconds().to_string());
    let read = stored(&world, &batch);
    assert_eq!(read, batch);
    assert!(read.events().eq(batch.events()));
}

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing() {
    let world = World::new();
    let first = batch(&visit(100), &json!({}));
    world.table.store_events(&first).await.unwrap();
    let before = world.items();
    let late = EventUpload::from_json(json!({"batch": visit(100), "sentAt": later(60)})).unwrap();
    let again = late.received(later(61)).unwrap();
    let store = world.table.store_events(&again);
    world.measure("store_events", "stored before", store).await.unwrap();
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn other_events_under_the_id_of_a_batch_are_refused() {
    let world = World::new();
    world.table.store_events(&batch(&visit(2), &json!({"batchId": ID}))).await.unwrap();
    let before = world.items();
    let other = batch(&visit(1), &json!({"batchId": ID}));
    assert_eq!(world.table.store_events(&other).await, Err(Error::KeyReused));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_stored_once() {
    let world = World::new();
    world.wire.next("PutItem", [Fault::AnswerLost]);
    world.table.store_events(&batch(&visit(5), &json!({}))).await.unwrap();
    assert_eq!(world.items().len(), 1);
}

#[tokio::test]
async fn requests_cost_the_less_the_more_events_they_bring() {
    let world = World::new();
    for case in ["1000 by 1", "1000 by 5", "1000 by 20", "1000 by 100", "1000 by 500"] {
        let size = case.rsplit(' ').next().unwrap().parse().unwrap();
        let batches = batches(size);
        let store = async {
            for batch in &batches {
                world.table.store_events(batch).await.unwrap();
            }
        };
        world.measure("store_events", case, store).await;
    }
}

#[tokio::test]
async fn ids_of_messages_cost_16_bytes_each() {
    let world = World::new();
    let mut events = visit(100);
    for (index, event) in events.iter_mut().enumerate() {
        event["messageId"] = format!("{index:08x}-1d52-4c1b-8d0e-0a6f1c7b2e64").into();
    }
    let store = async { world.table.store_events(&batch(&events, &json!({}))).await.unwrap() };
    world.measure("store_events", "100 with message ids", store).await;
}

/// An item has 400 KB at most. A body of 256 KiB that cannot be compressed stays below that.
#[tokio::test]
async fn the_largest_batch_fits_into_an_item() {
    let world = World::new();
    let mut seed = 1_u64;
    let mut noise = |length: usize| -> String {
        let next = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((seed >> 33) % 94).unwrap())
        };
        (0..length).map(next).collect()
    };
    let mut events = visit(500);
    for event in &mut events {
        event["messageId"] = noise(9).into();
        event["properties"] = json!({noise(9): noise(300)});
    }
    let largest = batch(&events, &json!({}));
    let size = serde_json::to_vec(&events).unwrap().len();
    assert!((230_000..262_144).contains(&size), "{size}");
    world.table.store_events(&largest).await.unwrap();
    assert_eq!(stored(&world, &largest), largest);
    // The shortest way to write a number that is stored with all its digits.
    let numbers = vec![json!(1e15); 200];
    for event in &mut events[..230] {
        event["properties"] = json!({"numbers": numbers});
    }
    let widest = batch(&events[..230], &json!({}));
    world.table.store_events(&widest).await.unwrap();
    assert_eq!(stored(&world, &widest), widest);
}
