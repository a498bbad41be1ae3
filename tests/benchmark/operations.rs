//! What is measured.

use crate::data::{self, World};
use serde_json::Value;

/// What the cache holds when a request comes.
#[derive(Clone, Copy, PartialEq)]
pub enum Cache {
    /// There is none.
    Absent,
    /// It has what is asked for.
    Hit,
    /// It has nothing.
    Miss,
}

/// An operation of a function, with its floors.
#[derive(Clone, Copy)]
pub struct Operation {
    /// As it is reported.
    pub name: &'static str,
    /// The folder under `functions/`.
    pub function: &'static str,
    /// What is in the table.
    pub world: World,
    /// The function that does nothing but is invoked in the same way.
    pub empty: &'static str,
    pub cache: Cache,
    /// How many requests it sends at the same time at most.
    pub at_once: usize,
    /// What one event brings about: `requests`, or `reviews` with how many of them.
    pub unit: (&'static str, u32),
    /// The event of this number for a table of this size.
    pub event: fn(u32, u32) -> Value,
}

const BY_HTTP: Operation = Operation {
    name: "product-get",
    function: "product-get",
    world: World::Products,
    empty: "empty",
    cache: Cache::Absent,
    at_once: 1,
    unit: ("requests", 1),
    event: data::product_get,
};

const BY_STREAM: Operation = Operation {
    name: "rating-average, of one product",
    function: "rating-average",
    empty: "empty-stream",
    // As many as shared/runtime works on.
    at_once: 16,
    unit: ("reviews", data::BATCH),
    event: data::reviews_of_one,
    ..BY_HTTP
};

/// All of them, those of one function side by side.
pub const OPERATIONS: [Operation; 10] = [
    BY_HTTP,
    Operation { name: "product-get, hit", cache: Cache::Hit, ..BY_HTTP },
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
];

impl Operation {
    /// Ends the benchmark unless the answer is the one that is to be measured.
    pub fn check(&self, answer: &Value) {
        let right = match answer["statusCode"].as_u64() {
            Some(status) => (200..300).contains(&status),
            None => answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty),
        };
        assert!(right, "{}: {answer}", self.name);
        if self.world == World::Concerts {
            let found = answer["body"].as_str().map_or(0, |body| body.matches("\"concertId\"").count());
            assert_eq!(found, 20, "{}: {answer}", self.name);
        }
    }
}
