//! What is published of the table's stream, by the images of items as the table stores them.

use crate::order_support::{CUSTOMER, confirm, payment, placed, record, stocked};
use domain::{
    Error, Input,
    event_batch::{EventBatch, EventUpload},
    event_record::{EventKind, EventRecord},
    id::OrderId,
};
use serde_json::{Value, json};
use table::{StreamRecord, keys};
use tests::{
    World,
    samples::{later, now, stream_arn, user_id},
};

/// The record of a change from one image to the next, an hour after the beginning.
fn changed(old: &Value, new: &Value) -> StreamRecord {
    let image = if new.is_null() { old } else { new };
    let mut change = json!({
        "SequenceNumber": "7", "ApproximateCreationDateTime": later(3600).unix_seconds(),
        "Keys": {"pk": image["pk"], "sk": image["sk"]},
    });
    for (name, image) in [("OldImage", old), ("NewImage", new)] {
        if !image.is_null() {
            change[name] = image.clone();
        }
    }
    serde_json::from_value(
        json!({"eventSourceARN": stream_arn("2026-01-02T03:04:05.678"), "dynamodb": change}),
    )
    .unwrap()
}

fn batch() -> EventBatch {
    let event = |name: &str| {
        json!({"type": "track", "event": name, "anonymousId": "a", "timestamp": now(),
            "properties": {"experimentId": "e", "variationId": "b", "price": 12.5}})
    };
    let body = json!({"batch": [event("Seen"), event("Experiment Viewed")]});
    EventUpload::from_json(body).unwrap().received(later(5)).unwrap()
}

#[tokio::test]
async fn a_batch_is_published_as_its_events() {
    let (world, batch) = (World::new(), batch());
    world.table.store_events(&batch).await.unwrap();
    let stored = world.item(&keys::event_batch(batch.id));
    let published = changed(&Value::Null, &stored).publication().unwrap();
    assert_eq!(published, batch.events().map(EventRecord::from).collect::<Vec<_>>());
    let kinds: Vec<_> = published.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [EventKind::Event, EventKind::Exposure]);
    // The stream tells of its end too, when its time to live is over.
    assert_eq!(changed(&stored, &Value::Null).publication(), Ok(Vec::new()));
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_an_error() {
    let (world, batch) = (World::new(), batch());
    world.table.store_events(&batch).await.unwrap();
    let stored = world.item(&keys::event_batch(batch.id));
    for broken in [json!({"B": "AAAA"}), json!({"B": "no base64"}), json!({"S": "x"}), json!(null)] {
        let mut image = stored.clone();
        image["events"] = broken.clone();
        let read = changed(&Value::Null, &image).publication();
        assert!(matches!(read, Err(Error::Internal { .. })), "{broken}: {read:?}");
    }
    let mut image = stored;
    image["pk"] = json!({"S": "EVENTS#no-id"});
    let read = changed(&Value::Null, &image).publication();
    assert!(matches!(read, Err(Error::Internal { .. })), "{read:?}");
}

#[tokio::test]
async fn an_order_is_published_when_it_is_confirmed_and_when_it_is_cancelled() {
    let world = World::new();
    let product = stocked(&world, 1, 5).await;
    let order = placed(1, &[(1, 2)]);
    record(&world, &order).await;
    let key = keys::order(user_id(CUSTOMER), order.order.order_id);
    let pending = world.item(&key);
    assert_eq!(changed(&Value::Null, &pending).publication(), Ok(Vec::new()));

    confirm(&world, &order, &payment(1)).await;
    let confirmed = world.item(&key);
    let bought = changed(&pending, &confirmed).publication().unwrap();
    let [purchase] = &bought[..] else { panic!("{bought:?}") };
    // The stream has whole seconds.
    let received = (purchase.kind, purchase.received_at.unix_milliseconds());
    assert_eq!(received, (EventKind::Purchase, later(3600).unix_seconds() * 1000));
    assert_eq!((purchase.user, purchase.order), (Some(user_id(CUSTOMER)), Some(order.order.order_id)));
    assert_eq!(purchase.product, Some(product.product_id.to_string()));
    assert_eq!((purchase.quantity, purchase.amount), (Some(2), Some(order.order.total.amount)));
    // A record that comes twice is the same event.
    assert_eq!(changed(&pending, &confirmed).publication().unwrap(), bought);

    let cancelled = world.table.order(user_id(CUSTOMER), order.order.order_id).await.unwrap();
    world.table.cancel_order(cancelled).await.unwrap();
    let cancelled = world.item(&key);
    let back = changed(&confirmed, &cancelled).publication().unwrap();
    assert_eq!(back.iter().map(|record| record.kind).collect::<Vec<_>>(), [EventKind::Cancellation]);
    assert_eq!(back[0].amount, Some(-order.order.total.amount));
    assert_eq!(changed(&cancelled, &cancelled).publication(), Ok(Vec::new()));
}

#[test]
fn other_items_are_not_published() {
    let id: OrderId = "019aa251-4760-7404-8404-040404040404".parse().unwrap();
    for (pk, sk) in [
        ("PRODUCT#x", "PRODUCT"),
        ("USER#x", "PROFILE"),
        ("EVENTS", "PERIOD"),
        ("UNSETTLED#4", &*id.to_string()),
    ] {
        let item = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        assert_eq!(changed(&Value::Null, &item).publication(), Ok(Vec::new()), "{pk}");
    }
}

#[test]
fn a_probe_is_published_with_its_id_and_its_time() {
    let id = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let item = json!({"pk": {"S": "PROBE"}, "sk": {"S": "PROBE"}, "probeId": {"S": id},
        "at": {"N": now().unix_milliseconds().to_string()}});
    let published = changed(&Value::Null, &item).publication().unwrap();
    assert_eq!(published, [EventRecord::probe(id.parse().unwrap(), now())]);
}
