//! The way of events with what may happen to it, on instances of their own: each good event counts once.

use crate::{
    event_summary::{now, product, replay, summary_of},
    own_instance::OwnInstance,
    souk::{Answer, Call, Souk, eventually, unique},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const HOUR_SECONDS: u64 = 3600;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;

/// Events of one visitor about one product. By a right clock, all happened two hours before the test began.
struct Visit<'souk> {
    souk: &'souk Souk,
    product: String,
    visitor: String,
}

impl Visit<'_> {
    /// Sends this number of events in a request, by a clock that shows this time.
    fn send(&self, name: &str, number: usize, clock: Timestamp, more: &Value) -> Answer {
        let event = |index: usize| {
            json!({"type": "track", "event": name, "anonymousId": self.visitor, "messageId": format!("{name} {index}"),
                "timestamp": clock.minus_seconds(2 * HOUR_SECONDS),
                "properties": {"productId": self.product, "more": more}})
        };
        let batch: Vec<_> = (0..number).map(event).collect();
        self.souk.send(Call::new("POST", "/events").json(&json!({"batch": batch, "sentAt": clock})))
    }

    /// Sends ten events, which are taken.
    fn take(&self, name: &str, clock: Timestamp) {
        let sent = self.send(name, 10, clock, &Value::Null);
        assert_eq!((sent.status, &sent.body["events"]), (202, &json!(10)), "{sent:?}");
    }

    /// Stores a request that cannot be read. Returns its id.
    fn poison(&self) -> String {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, unique().as_bytes()).to_string();
        let key = table::keys::event_batch(id.parse().unwrap());
        let item =
            json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}, "events": {"B": STANDARD.encode("no events")}});
        let put = json!({"TableName": self.souk.output("TableName"), "Item": item});
        self.souk.aws("dynamodb", "DynamoDB_20120810.PutItem", &put);
        id
    }
}

/// How many events of each name a summary has.
fn by_name(summary: &Answer) -> BTreeMap<String, u64> {
    assert_eq!(summary.status, 200, "{summary:?}");
    let mut counts = BTreeMap::new();
    for item in summary.body["items"].as_array().unwrap() {
        *counts.entry(item["event"].as_str().unwrap().to_owned()).or_default() +=
            item["events"].as_u64().unwrap();
    }
    counts
}

fn tens(names: &[&str]) -> BTreeMap<String, u64> {
    names.iter().map(|name| ((*name).to_owned(), 10)).collect()
}

#[test]
fn each_good_event_counts_once_beside_bad_clocks_bodies_and_items_in_a_rebalance_and_after_replays() {
    let own = OwnInstance::start_with_events("e2e-events", &[]);
    let souk = &own.souk;
    let (seller, product) = product(souk);
    let begun = Timestamp::from_unix_milliseconds(now());
    let visit = Visit { souk, product, visitor: unique() };
    let counts = || {
        // An event whose time was not corrected is outside of this span.
        let (from, to) = (begun.minus_seconds(3 * HOUR_SECONDS), begun.minus_seconds(HOUR_SECONDS));
        by_name(&summary_of(souk, &seller, &format!("productId={}&from={from}&to={to}", visit.product)))
    };

    visit.take("By a slow clock", begun.minus_seconds(DAY_SECONDS));
    visit.take("By a fast clock", begun.plus_seconds(DAY_SECONDS));
    let large = visit.send("Too large", 300, begun, &json!("x".repeat(1000)));
    large.problem(413, "payload-too-large");

    visit.take("Before the poison", begun);
    let poison = visit.poison();
    visit.take("After the poison", begun);
    let letters =
        || souk.letters("event-ingest").iter().filter(|letter| letter.to_string().contains(&poison)).count();
    eventually("the poison is described in the queue", || letters() > 0);
    let mut names = vec!["By a slow clock", "By a fast clock", "Before the poison", "After the poison"];
    eventually("all good events are counted", || counts() == tens(&names));

    // Inserted, and not yet committed, when a second reader joins the group.
    souk.put_faults(&json!([{"id": "inserted", "function": "event-sink", "kind": "hold", "when": "after"}]));
    visit.take("Before the rebalance", begun);
    eventually("a batch is held", || souk.held("inserted") > 0);
    souk.set("kafka", &json!({"consumers": 2}));
    visit.take("In the rebalance", begun);
    souk.put_faults(&json!([]));
    names.extend(["Before the rebalance", "In the rebalance"]);
    eventually("all events of the rebalance are counted", || counts() == tens(&names));
    souk.set("kafka", &json!({"consumers": 1}));

    // The same pages of the stream for event-ingest, with the poison, twice more.
    for _ in 0..2 {
        replay(souk, begun.minus_seconds(1), names.len() + 1);
    }
    // In the partition of all others, behind what was read again.
    visit.take("Last", begun);
    names.push("Last");
    eventually("what was sent after the replays is counted", || counts() == tens(&names));
}

#[test]
fn events_come_through_the_brokers_of_a_cluster_of_msk() {
    let cluster = "arn:aws:kafka:us-east-1:000000000000:cluster/any/0f0e0d0c-0000-0000-0000-000000000000-1";
    let own = OwnInstance::start_with_events("e2e-msk", &[&format!("KafkaClusterArn={cluster}")]);
    let (seller, product) = product(&own.souk);
    let sent = own.souk.send(Call::new("POST", "/events").json(&json!({"batch": [
        {"type": "track", "event": "Seen", "anonymousId": unique(), "timestamp": "2026-01-06T00:00:00Z",
            "properties": {"productId": product}},
    ]})));
    assert_eq!(sent.status, 202, "{sent:?}");
    let query = format!("productId={product}&from=2026-01-06&to=2026-01-06");
    eventually("the event is counted", || {
        let summary = summary_of(&own.souk, &seller, &query);
        by_name(&summary) == BTreeMap::from([("Seen".to_owned(), 1)])
    });
}
