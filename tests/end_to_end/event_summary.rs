//! `GET /events/summary`, and event-sink: events come to ClickHouse, and each counts once.

use crate::{
    own_instance::OwnInstance,
    souk::{Answer, Call, SOUK, Souk, User, eventually, unique},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::Timestamp;
use serde_json::{Value, json};
use std::{
    env,
    ops::Range,
    thread,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// A product of a new seller: the seller and the product's id.
pub fn product(souk: &Souk) -> (User, String) {
    let seller = souk.user();
    let product = souk.product(&seller).body["productId"].as_str().unwrap().to_owned();
    (seller, product)
}

fn summary(user: &User, query: &str) -> Answer {
    summary_of(&SOUK, user, query)
}

pub fn summary_of(souk: &Souk, user: &User, query: &str) -> Answer {
    souk.send(user.call("GET", &format!("/events/summary?{query}")))
}

/// The counts of events by name, with the visitors.
fn counts(user: &User, product: &str) -> Value {
    let answer = summary(user, &format!("productId={product}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let items = answer.body["items"].as_array().unwrap();
    items.iter().map(|item| json!([item["event"], item["events"], item["visitors"]])).collect()
}

/// A batch of the topic with these values, as Lambda delivers it.
fn batch(offset: usize, values: &[Value]) -> Value {
    let record = |(index, value): (usize, &Value)| {
        json!({"topic": "souk.events", "partition": 0, "offset": offset + index, "timestamp": 1, "timestampType": "CREATE_TIME",
            "value": STANDARD.encode(value.to_string()), "headers": []})
    };
    let records: Vec<_> = values.iter().enumerate().map(record).collect();
    json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "b:9092", "records": {"souk.events-0": records}})
}

/// The time, in milliseconds since 1970.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A record of an event about a product.
fn record(number: u32, visitor: &str, product: &str) -> Value {
    let now = now();
    json!({"id": format!("{number:08x}-0fc8-56b8-a3ba-3fd64c4b9d01"), "kind": "event", "event": "Seen", "visitor": visitor,
        "product": product, "bot": false, "at": now - 1000, "receivedAt": now, "properties": {"productId": product}})
}

fn failures(answer: &Value) -> Vec<u64> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let offset = |failure: &Value| {
        assert_eq!(failure["itemIdentifier"]["partition"], "souk.events-0");
        failure["itemIdentifier"]["offset"].as_u64().unwrap()
    };
    failures.iter().map(offset).collect()
}

#[test]
fn a_seller_sees_what_happened_to_a_product_and_nobody_else_does() {
    let (seller, product) = product(&SOUK);
    let visitors = [unique(), unique()];
    let event = |name: &str, visitor: &str, message: &str| {
        json!({"type": "track", "event": name, "anonymousId": visitor, "messageId": message,
            "timestamp": "2026-01-01T00:00:00Z", "properties": {"productId": product}})
    };
    let send = |events: &[Value]| {
        let sent = SOUK.send(Call::new("POST", "/events").json(&json!({"batch": events})));
        assert_eq!(sent.status, 202, "{sent:?}");
    };
    send(&[event("Product Viewed", &visitors[0], "1"), event("Product Viewed", &visitors[1], "1")]);
    // The first one again, in another batch.
    send(&[event("Product Viewed", &visitors[0], "1"), event("Product Added", &visitors[0], "2")]);
    let query = format!("productId={product}&from=2026-01-01&to=2026-01-01");
    let wanted = json!([
        {"event": "Product Added", "day": "2026-01-01", "events": 1, "visitors": 1},
        {"event": "Product Viewed", "day": "2026-01-01", "events": 2, "visitors": 2},
    ]);
    eventually("the events are counted", || summary(&seller, &query).body["items"] == wanted);
    // The schedule sends a probe each minute, which a new instance may not have lived.
    SOUK.invoke("lag-probe", &json!({}));
    let as_of = || summary(&seller, &query).body["asOf"].as_str().map(str::to_owned);
    eventually("a probe has arrived", || as_of().is_some_and(|at| at.ends_with('Z')));
    assert_eq!(counts(&seller, &product), json!([]));

    summary(&SOUK.user(), &query).problem(404, "not-found");
    let nothing = "019aa251-4760-7202-8202-020202020202";
    summary(&seller, &format!("productId={nothing}")).problem(404, "not-found");
    summary(&seller, &format!("experimentId={nothing}")).problem(404, "not-found");
    for (query, parameter) in [
        ("", "experimentId"),
        ("productId=x", "productId"),
        (&*format!("productId={product}&experimentId={nothing}"), "experimentId"),
        (&*format!("productId={product}&from=2026-01-01&to=2026-04-01"), "from"),
        (&*format!("productId={product}&to=soon"), "to"),
    ] {
        let refused = summary(&seller, query);
        let named = refused.problem(400, "validation").body["errors"].to_string();
        assert!(named.contains(parameter), "{query}: {named}");
    }
}

/// One test, because its parts fail what the others use.
#[test]
fn each_event_counts_once_whatever_fails() {
    an_outage_a_repeat_and_a_poison_record();
    an_outage_of_kafka_and_clickhouse();
    functions_that_are_killed();
}

/// ClickHouse is down; a batch comes again after it was stored; a record is no event.
fn an_outage_a_repeat_and_a_poison_record() {
    let (seller, product) = product(&SOUK);
    let visitor = unique();
    let events = [record(1, &visitor, &product), json!({"poison": visitor}), record(2, &visitor, &product)];
    let failing = SOUK.fail_inserts();
    let answer = SOUK.invoke("event-sink", &batch(100, &events));
    drop(failing);
    assert_eq!(failures(&answer), [100, 101, 102]);
    assert!(failures(&SOUK.invoke("event-sink", &batch(100, &events))).is_empty());
    assert_eq!(counts(&seller, &product), json!([["Seen", 2, 1]]));
    // Killed between the insert and the commit of offsets: the same batch, divided otherwise, with one record more.
    let more = [events[2].clone(), record(3, &visitor, &product)];
    assert!(failures(&SOUK.invoke("event-sink", &batch(102, &more))).is_empty());
    assert_eq!(counts(&seller, &product), json!([["Seen", 3, 1]]));
    let value = json!(STANDARD.encode(events[1].to_string()));
    let mut found = None;
    eventually("the poison is described in the queue", || {
        found = SOUK.letters("event-sink").into_iter().find(|letter| letter["value"] == value);
        found.is_some()
    });
    let letter = found.unwrap();
    assert_eq!((&letter["partition"], &letter["offset"]), (&json!("souk.events-0"), &json!(101)), "{letter}");
}

/// Some events are in the topic when ClickHouse is down, others in the stream when Kafka is down too.
fn an_outage_of_kafka_and_clickhouse() {
    let (seller, product) = product(&SOUK);
    let visitor = unique();
    let send = |name: &str| {
        let event = |number| {
            json!({"type": "track", "event": name, "anonymousId": visitor, "messageId": format!("{name} {number}"),
                "timestamp": "2026-01-05T00:00:00Z", "properties": {"productId": product}})
        };
        let batch: Vec<_> = (0..10).map(event).collect();
        let sent = SOUK.send(Call::new("POST", "/events").json(&json!({"batch": batch})));
        assert_eq!(sent.status, 202, "{sent:?}");
    };
    let failing = SOUK.fail_inserts();
    send("In the topic");
    eventually("event-sink inserts in vain", || SOUK.failed_statements() > 0);
    let stopped = SOUK.stop_broker();
    send("In the stream");
    eventually("event-ingest waits for Kafka", || SOUK.is_busy("event-ingest"));
    let counted = || {
        let query = format!("productId={product}&from=2026-01-05&to=2026-01-05");
        summary(&seller, &query).body["items"].clone()
    };
    assert_eq!(counted(), json!([]));
    drop(stopped);
    drop(failing);
    let of = |name: &str| json!({"event": name, "day": "2026-01-05", "events": 10, "visitors": 1});
    eventually("all events are counted", || counted() == json!([of("In the stream"), of("In the topic")]));
}

/// The functions that an event passes through.
const FUNCTIONS: [&str; 3] = ["event-track", "event-ingest", "event-sink"];

/// Functions are killed while events pass through them: about once for each 1,000 events, and eight times at least. `SOUK_EVENTS`
/// sets their number. Other tests would take a request whose function was killed for a failure, so the instance is its own.
fn functions_that_are_killed() {
    let wanted: u64 = env::var("SOUK_EVENTS").map_or(2000, |events| events.parse().unwrap());
    let own = OwnInstance::start_with_events("e2e-killed", &[]);
    let souk = &own.souk;
    let (seller, product) = product(souk);
    let rounds = usize::try_from(8 + wanted / 1000).unwrap();
    let requests = requests(wanted, rounds, &product);
    let begun = Instant::now();
    let (mut kills, mut fillers, mut repeated) = ([0; 3], 0, 0);
    for (round, requests) in requests.chunks(requests.len().div_ceil(rounds)).enumerate() {
        let turn = round % FUNCTIONS.len();
        thread::scope(|scope| {
            let killer = scope.spawn(|| kill_in_an_invocation(souk, FUNCTIONS[turn]));
            repeated += requests.iter().map(|request| send_until_taken(souk, request)).sum::<usize>();
            while !killer.is_finished() {
                repeated += send_until_taken(souk, &request("Meanwhile", fillers..fillers + 1, &product));
                fillers += 1;
            }
            kills[turn] += killer.join().unwrap();
        });
    }
    let sent = begun.elapsed();
    let query = format!("productId={product}&from=2026-01-02&to=2026-01-03");
    let counted = || {
        let items = summary_of(souk, &seller, &query).body["items"].clone();
        let count = |name: &str| {
            items
                .as_array()
                .and_then(|items| items.iter().find(|item| item["event"] == name)?["events"].as_u64())
                .unwrap_or_default()
        };
        (count("Seen"), count("Meanwhile"))
    };
    let mut last = counted();
    while last.0 + last.1 < wanted + fillers {
        let before = last;
        eventually("more events are counted", || {
            last = counted();
            last != before
        });
    }
    assert_eq!(last, (wanted, fillers));
    println!(
        "{wanted} events and {fillers} meanwhile, sent in {sent:.1?}, counted after {:.1?}, {} kills ({kills:?} of {FUNCTIONS:?}), \
         {repeated} requests sent again",
        begun.elapsed(),
        kills.iter().sum::<usize>(),
    );
    assert!(kills.iter().all(|number| *number > 0), "{kills:?} of {FUNCTIONS:?}");
    // Read again from the stream, twice: nothing changes.
    for _ in 0..2 {
        let from = Timestamp::from_unix_milliseconds(now()).minus_seconds(begun.elapsed().as_secs() + 2);
        replay(souk, from, requests.len());
    }
    let marker = unique();
    let after = souk.send(Call::new("POST", "/events").json(&json!({"batch": [
        {"type": "track", "event": "Last", "anonymousId": marker, "timestamp": "2026-01-04T00:00:00Z",
            "properties": {"productId": product}},
    ]})));
    assert_eq!(after.status, 202, "{after:?}");
    let of_today = format!("productId={product}&from=2026-01-04&to=2026-01-04");
    eventually("what was sent after the replay is counted", || {
        summary_of(souk, &seller, &of_today).body["items"][0]["events"] == 1
    });
    assert_eq!(counted(), (wanted, fillers));
}

/// Requests with this number of events in all, for this number of rounds at least.
fn requests(events: u64, rounds: usize, product: &str) -> Vec<Value> {
    const MOST: u64 = 500;
    let size = events.div_ceil(u64::try_from(rounds).unwrap()).min(MOST);
    let starts = (0..events).step_by(usize::try_from(size).unwrap());
    starts.map(|first| request("Seen", first..events.min(first + size), product)).collect()
}

/// A request with events from 2026-01-02T00:00:00Z on, a millisecond for each.
fn request(name: &str, numbers: Range<u64>, product: &str) -> Value {
    let visitor = unique();
    let event = |number: u64| {
        json!({"type": "track", "event": name, "anonymousId": visitor, "properties": {"productId": product},
            "timestamp": Timestamp::from_unix_milliseconds(1_767_312_000_000 + number)})
    };
    json!({"batchId": Uuid::new_v5(&Uuid::NAMESPACE_OID, visitor.as_bytes()), "batch": numbers.map(event).collect::<Vec<_>>()})
}

/// Sends a request again for as long as it fails, as clients do. Returns how often it failed.
fn send_until_taken(souk: &Souk, request: &Value) -> usize {
    let mut failures = 0;
    loop {
        let sent = souk.send(Call::new("POST", "/events").json(request));
        if sent.status < 500 {
            assert_eq!((sent.status, &sent.body["batchId"]), (202, &request["batchId"]), "{sent:?}");
            return failures;
        }
        failures += 1;
    }
}

/// Waits until a function is in an invocation, and kills its process. Returns the number of processes.
fn kill_in_an_invocation(souk: &Souk, function: &str) -> usize {
    // An invocation may take a few milliseconds.
    const PAUSE: Duration = Duration::from_millis(2);
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let killed = souk.kill_busy(function);
        if killed > 0 {
            return killed;
        }
        assert!(Instant::now() < end, "not within a minute: {function} is in an invocation");
        thread::sleep(PAUSE);
    }
}

/// Reads what the stream has since then again. These are this number of requests at least.
pub fn replay(souk: &Souk, from: Timestamp, requests: usize) {
    let replayed = souk.invoke("event-replay", &json!({"from": from}));
    let least = u64::try_from(requests).unwrap();
    assert!(replayed["records"].as_u64().is_some_and(|records| records >= least), "{replayed}");
    assert_eq!((&replayed["trimmed"], &replayed["next"]), (&json!([]), &Value::Null), "{replayed}");
}
