//! The probe of the events' way, and whose experiments are.

use domain::{Error, id::ExperimentId, probe::Probe};
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

#[tokio::test]
async fn the_owner_of_an_experiment_is_read_with_it() {
    let world = World::new();
    let id: ExperimentId = "019aa251-4760-7505-8505-050505050505".parse().unwrap();
    let owner = world.table.experiment_owner(id);
    assert_eq!(
        world.measure("experiment_owner", "none", owner).await,
        Err(Error::NotFound { what: "experiment" })
    );
    let seller = "019aa251-4760-7101-8101-010101010101";
    world.put(&keys::experiments::experiment(id), &json!({"ownerId": {"S": seller}}));
    let owner = world.measure("experiment_owner", "one", world.table.experiment_owner(id)).await.unwrap();
    assert_eq!(owner.to_string(), seller);
}
