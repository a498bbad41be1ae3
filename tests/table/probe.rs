//! The probe of the events' way.

use domain::probe::Probe;
use serde_json::json;
use table::keys;
use tests::{World, samples::now};
use uuid::Uuid;

#[tokio::test]
async fn the_probe_that_was_sent_last_is_the_one() {
    let world = World::new();
    assert_eq!(world.measure("probe", "none", world.table.probe()).await, Ok(None));
    for (id, seconds) in [(1, 0), (2, 60)] {
        let probe = Probe { id: Uuid::from_u128(id), at: now().plus_seconds(seconds) };
        world.measure("send_probe", "any", world.table.send_probe(&probe)).await.unwrap();
        assert_eq!(world.measure("probe", "one", world.table.probe()).await, Ok(Some(probe)));
    }
    let item = world.item(&keys::probe());
    assert_eq!(item["probeId"], json!({"S": Uuid::from_u128(2).to_string()}));
}
