//! `/events` and `/v1/batch`: what visitors do.

use crate::souk::{Call, SOUK, unique};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::Timestamp;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use table::{keys, stored_events};

/// The present, by a clock that is slow by this much.
fn clock(slow: Duration) -> Timestamp {
    let since_1970 = (SystemTime::now() - slow).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_milliseconds(since_1970.as_millis().try_into().unwrap())
}

#[test]
fn a_visit_is_stored_once_whole_and_by_our_clock() {
    let visitor = unique();
    let day = Duration::from_hours(24);
    let viewed = json!({
        "type": "track", "event": "Product Viewed", "anonymousId": visitor, "timestamp": clock(day + Duration::from_mins(1)),
        "properties": {"productId": "p"}, "context": {"userAgent": "Mozilla"},
    });
    let exposed = json!({
        "type": "track", "event": "Experiment Viewed", "anonymousId": visitor, "messageId": "1", "timestamp": clock(day),
        "properties": {"experimentId": "e", "variationId": "large"},
    });
    let events = [viewed, json!({"type": "identify", "traits": {"email": "mei@example.com"}}), exposed];
    let body = |events: &[Value]| json!({"batch": events, "sentAt": clock(day)});

    // One bad event refuses the whole batch.
    let mut bad = events.clone();
    bad[2]["properties"] = json!({"experimentId": "e"});
    let refused = SOUK.send(Call::new("POST", "/events").json(&body(&bad)));
    assert_eq!(refused.problem(400, "validation").faults(), ["/batch/2/properties/variationId"]);

    let stored = SOUK.send(Call::new("POST", "/events").json(&body(&events)));
    assert_eq!((stored.status, &stored.body["events"]), (202, &json!(2)), "{stored:?}");
    let id = stored.body["batchId"].as_str().unwrap();
    let item = || SOUK.item(&keys::event_batch(id.parse().unwrap()));
    let first = item();
    let bytes = STANDARD.decode(first["events"]["B"].as_str().unwrap()).unwrap();
    let batch = stored_events(id.parse().unwrap(), &bytes).unwrap();
    let read: Vec<_> = batch.events().collect();
    assert_eq!(
        read.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(),
        ["Product Viewed", "Experiment Viewed"]
    );
    assert!(read.iter().all(|event| event.visitor.as_str() == visitor), "{read:?}");
    let ago = |index: usize| clock(Duration::ZERO).unix_milliseconds() - read[index].at.unix_milliseconds();
    assert!((60_000..90_000).contains(&ago(0)) && ago(1) < 30_000, "{read:?}");

    // Sent again, to the path of Segment's clients, with the write key that they give.
    let again = Call::new("POST", "/v1/batch").header("authorization", "Basic YW55Og==").json(&body(&events));
    let again = SOUK.send(again);
    assert_eq!((again.status, &again.body), (202, &stored.body));
    assert_eq!(item(), first);
    let mut other = body(&events[..1]);
    other["batchId"] = json!(id);
    SOUK.send(Call::new("POST", "/events").json(&other)).problem(422, "idempotency-mismatch");
    assert_eq!(item(), first);
}
