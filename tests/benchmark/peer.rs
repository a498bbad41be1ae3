//! The peer: product-get as most functions in Rust are written. Its program is in `peer/`.

use crate::{
    data::{self, World},
    lambda::Function,
    operations::PEER,
    programs::Programs,
    services::Services,
    warm::ITEMS,
};
use serde_json::Value;

/// Panics unless both programs answer a request with the same document.
pub fn check(programs: &Programs) {
    let table = Services::start(World::Products.items(ITEMS));
    let environment = table.environment();
    let [ours, theirs] = ["product-get", PEER].map(|name| {
        let function = Function::start(programs.of(name), &environment);
        function.polled();
        let (_, answer) = function.invoke(&data::product_get(1, ITEMS));
        let body = answer["body"].as_str().expect("a body");
        serde_json::from_str::<Value>(body).expect("a body is JSON")
    });
    assert_eq!(ours, theirs, "the peer answers something else");
}
