//! The operations that are measured.

use crate::{
    data::{self, World},
    event_data,
    services::Sent,
};
use serde_json::{Value, json};

/// The state of the cache at each request.
#[derive(Clone, Copy, PartialEq)]
pub enum Cache {
    /// The function has no cache.
    Absent,
    /// The cache has the requested entry.
    Hit,
    /// The cache is empty.
    Miss,
}

/// An operation of a function, with its lower bounds.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The name in the report.
    pub name: &'static str,
    /// The function's folder under `functions/`.
    pub function: &'static str,
    /// The content of the table.
    pub world: World,
    /// The function with the same trigger that does nothing.
    pub empty: &'static str,
    pub cache: Cache,
    /// The largest number of requests that it sends concurrently.
    pub at_once: usize,
    /// Whether it is measured on tables of different sizes.
    pub grows: bool,
    /// By how much fewer rounds it has than others, because its events are large.
    pub fewer: u32,
    /// The unit of throughput, such as `requests`, and how many of them one event has.
    pub unit: (&'static str, u32),
    /// The event with this number, for a table of this size.
    pub event: fn(u32, u32) -> Value,
}

/// The program in `peer/`: product-get, written another way.
pub const PEER: &str = "peer";

const BY_HTTP: Operation = Operation {
    name: "product-get",
    function: "product-get",
    world: World::Products,
    empty: "empty",
    cache: Cache::Absent,
    at_once: 1,
    grows: true,
    fewer: 1,
    unit: ("requests", 1),
    event: data::product_get,
};

const BY_STREAM: Operation = Operation {
    name: "rating-average, of one product",
    function: "rating-average",
    empty: "empty-stream",
    // The concurrency of shared/runtime.
    at_once: 16,
    unit: ("reviews", data::BATCH),
    event: data::reviews_of_one,
    ..BY_HTTP
};

/// All operations, grouped by function.
pub const OPERATIONS: [Operation; 16] = [
    BY_HTTP,
    Operation { name: "peer of product-get", function: PEER, grows: false, ..BY_HTTP },
    Operation { name: "product-get, hit", cache: Cache::Hit, ..BY_HTTP },
    Operation {
        name: "product-get, hit in an experiment",
        world: World::TestedProducts,
        cache: Cache::Hit,
        event: data::product_get_of_visitor,
        ..BY_HTTP
    },
    Operation { name: "product-get, miss", cache: Cache::Miss, ..BY_HTTP },
    Operation { name: "product-update", function: "product-update", event: data::product_update, ..BY_HTTP },
    Operation { name: "review-create", function: "review-create", event: data::review_create, ..BY_HTTP },
    BY_STREAM,
    Operation { name: "rating-average, of 100 products", event: data::reviews_of_many, ..BY_STREAM },
    Operation {
        name: "concert-search, of a band",
        function: "concert-search",
        world: World::Concerts,
        event: data::concerts_of_band,
        ..BY_HTTP
    },
    Operation {
        name: "concert-search, within 20 km",
        function: "concert-search",
        world: World::Concerts,
        at_once: 32,
        event: data::concerts_near,
        ..BY_HTTP
    },
    Operation { name: "order-place", function: "order-place", event: data::order_place, ..BY_HTTP },
    Operation {
        name: "order-place, in an experiment",
        function: "order-place",
        world: World::TestedProducts,
        event: data::order_place_of_visitor,
        ..BY_HTTP
    },
    Operation {
        name: "event-track, of 500 events",
        function: "event-track",
        grows: false,
        unit: ("events", event_data::TRACKED),
        event: event_data::event_track,
        ..BY_HTTP
    },
    Operation {
        name: "event-ingest, of 10 × 500 events",
        function: "event-ingest",
        empty: "empty-stream",
        grows: false,
        fewer: 10,
        unit: ("events", event_data::BATCHED),
        event: event_data::stored_events,
        ..BY_HTTP
    },
    Operation {
        name: "event-sink, of 5000 events",
        function: "event-sink",
        empty: "empty-stream",
        grows: false,
        fewer: 10,
        unit: ("rows", event_data::BATCHED),
        event: event_data::published_events,
        ..BY_HTTP
    },
];

impl Operation {
    /// The work of the bare client for an event: the requests that the function has sent, and for visitors' events also what
    /// each way of processing them does.
    pub fn floor(&self, event: &Value, sent: Vec<Sent>) -> Vec<Sent> {
        match self.function {
            "event-track" => {
                let upload =
                    |put: Value| ("StoreUpload".to_owned(), json!({"Body": event["body"], "Put": put}));
                sent.into_iter().map(|(_, put)| upload(put)).collect()
            }
            "event-ingest" => {
                let published: u64 = sent.iter().filter_map(|(_, records)| records.as_u64()).sum();
                assert_eq!(published, u64::from(event_data::BATCHED), "{}", self.name);
                vec![("Publish".to_owned(), event.clone())]
            }
            "event-sink" => {
                let [(name, insert)] = &sent[..] else { panic!("{}: {} requests", self.name, sent.len()) };
                let mut insert = insert.clone();
                insert["Event"] = event.clone();
                vec![(name.clone(), insert)]
            }
            _ => sent,
        }
    }

    /// Panics unless the answer is a success with the expected result.
    pub fn check(&self, answer: &Value) {
        let right = match answer["statusCode"].as_u64() {
            Some(status) => (200..300).contains(&status),
            None => answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty),
        };
        assert!(right, "{}: {answer}", self.name);
        if self.world == World::TestedProducts {
            assert!(answer["body"].as_str().is_some_and(|body| body.contains("\"experiment\"")), "{answer}");
        }
        if self.function == "event-track" {
            assert!(answer["body"].as_str().is_some_and(|body| body.contains("\"events\":500")), "{answer}");
        }
        if self.world == World::Concerts {
            let found = answer["body"].as_str().map_or(0, |body| body.matches("\"concertId\"").count());
            assert_eq!(found, 20, "{}: {answer}", self.name);
        }
    }
}
