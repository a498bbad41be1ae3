//! Experiments that start, stop and change at the same instant.

use crate::{
    experiment_support::{SELLER, draft, patch, world_with},
    hold, together,
};
use domain::experiment::ExperimentStatus;
use serde_json::json;
use std::sync::Arc;
use table::keys;
use tests::samples::{product_id, user_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_experiments_that_start_on_one_product_at_once_one_runs() {
    let (world, first) = world_with(3).await;
    let second = draft(2, 3, 1);
    world.table.create_experiment(&second, None).await.unwrap();
    let world = Arc::new(world);
    hold(&world, "TransactWriteItems", 2);
    let started = together(&world, 2, async |world, number| {
        let number = u8::try_from(number).unwrap();
        patch(&world, number + 1, "\"1\"", &json!({"status": "running"}), 20 + number).await
    })
    .await;
    let refused: Vec<_> = started.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refused.len(), 1);
    let overlay = world.table.product(product_id(3)).await.unwrap().pricing.overlay.unwrap();
    let detail = format!("is in the running experiment {}", overlay.experiment_id);
    assert_eq!(refused[0].faults[0].detail, detail);
    for experiment in [first, second] {
        let stored = world.table.experiment(experiment.experiment_id).await.unwrap();
        let runs = stored.experiment_id == overlay.experiment_id;
        assert_eq!(stored.status == ExperimentStatus::Running, runs);
        let entry = world.item(&keys::experiments::running(user_id(SELLER), stored.experiment_id));
        assert_eq!(!entry.is_null(), runs);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_stops_at_once_one_rolls_out_and_the_others_find_it_done() {
    let (world, draft) = world_with(2).await;
    patch(&world, 1, "*", &json!({"status": "running"}), 20).await.unwrap();
    let world = Arc::new(world);
    let stopped = together(&world, 10, async |world, number| {
        let stop = json!({"status": "stopped", "winner": "low"});
        patch(&world, 1, "*", &stop, 30 + u8::try_from(number).unwrap()).await
    })
    .await;
    assert!(stopped.iter().all(|answer| answer.as_ref().is_ok()));
    for number in [1, 2] {
        let product = world.table.product(product_id(number)).await.unwrap();
        assert_eq!((product.version, product.draft.price.amount), (3, 590));
    }
    assert_eq!(world.table.experiment(draft.experiment_id).await.unwrap().version, 3);
}
