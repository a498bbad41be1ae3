//! Experiments: drafts, lists, starts, rises and stops with the overlays of their products.

use crate::experiment_support::{
    SELLER, changed, draft, experiment_id, patch, prepared, products, world_with,
};
use domain::{
    Error, Money,
    experiment::{Experiment, ExperimentEffect, ExperimentStatus, StoppedBy},
    experiment_count::CountTime,
    idempotency::{Creation, StoredResponse},
    page::PageSize,
    product::PageVersion,
    stock::StockChange,
};
use http::StatusCode;
use serde_json::json;
use table::{Hidden, Overtaken, StoredCount, Writer, keys};
use tests::{
    Fault, World,
    samples::{later, now, once, product, product_id, user_id, withdrawal},
};

fn start() -> serde_json::Value {
    json!({"status": "running"})
}

fn stop() -> serde_json::Value {
    json!({"status": "stopped"})
}

async fn amount(world: &World, number: u32) -> i64 {
    world.table.product(product_id(number)).await.unwrap().draft.price.amount
}

#[tokio::test]
async fn a_draft_is_stored_once_for_a_key_and_read_back() {
    let world = World::new();
    let first = draft(1, 1, 2);
    let create = world.table.create_experiment(&first, None);
    assert_eq!(world.measure("create_experiment", "", create).await, Ok(Creation::New));
    let read = world.table.experiment(first.experiment_id);
    assert_eq!(world.measure("experiment", "", read).await, Ok(first.clone()));
    let missing = world.table.experiment(experiment_id(9)).await;
    assert_eq!(missing, Err(Error::NotFound { what: "experiment" }));

    let answer = StoredResponse { status: 201, headers: vec![], body: "{}".to_owned() };
    let key = once("k", 1);
    let second = draft(2, 1, 2);
    let create = world.table.create_experiment(&second, Some((&key, &answer)));
    assert_eq!(world.measure("create_experiment", "with a key", create).await, Ok(Creation::New));
    let third = draft(3, 1, 2);
    let again = world.table.create_experiment(&third, Some((&key, &answer)));
    let again = world.measure("create_experiment", "with a key used before", again).await;
    assert_eq!(again, Ok(Creation::Replayed(answer)));
    assert!(world.table.experiment(third.experiment_id).await.is_err());
}

#[tokio::test]
async fn a_seller_lists_their_own_experiments_newest_first() {
    let world = World::new();
    for number in 1..=5 {
        world.table.create_experiment(&draft(number, 1, 1), None).await.unwrap();
    }
    let size = PageSize::new(3).unwrap();
    let list = |after| world.table.experiments_of(user_id(SELLER), size, after);
    let first = world.measure("experiments_of", "3 of 5", list(None)).await.unwrap();
    let ids = |items: &[Experiment]| items.iter().map(|item| item.experiment_id).collect::<Vec<_>>();
    assert_eq!(ids(&first.items), [5, 4, 3].map(experiment_id));
    let second = list(first.next).await.unwrap();
    assert_eq!((ids(&second.items), second.next), ([2, 1].map(experiment_id).to_vec(), None));
    assert_eq!(world.table.experiments_of(user_id(8), size, None).await.unwrap().items, []);
}

/// The number of products in the name of a case.
fn count_in(case: &str) -> u32 {
    case.split(' ').find_map(|word| word.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_start_gives_all_products_the_overlay() {
    for case in ["a start with 1 product", "a start with 50 products"] {
        let (world, draft) = world_with(count_in(case)).await;
        let (planned, effect) = prepared(&world, changed(&draft, start(), now()), now()).await;
        let write = world.table.write_experiment(&planned, effect, Writer([9; 16]));
        assert_eq!(world.measure("write_experiment", case, write).await, Ok(Overtaken::No));
        assert_eq!(world.table.experiment(draft.experiment_id).await, Ok(planned.experiment));
        for product in products(&world, &draft).await.values() {
            let overlay = product.pricing.overlay.as_ref().unwrap();
            assert_eq!((overlay.coverage.get(), overlay.variants[1].price), (5000, Some(590)));
            assert!(overlay.encode().len() <= 160);
        }
    }
}

#[tokio::test]
async fn a_rise_of_the_coverage_replaces_the_overlay_of_all_products() {
    for case in ["a rise with 1 product", "a rise with 50 products"] {
        let (world, draft) = world_with(count_in(case)).await;
        patch(&world, 1, "*", &start(), 20).await.unwrap();
        let running = world.table.experiment(draft.experiment_id).await.unwrap();
        let change = changed(&running, json!({"coverage": 9000}), later(60));
        let (planned, effect) = prepared(&world, change, later(60)).await;
        let write = world.table.write_experiment(&planned, effect, Writer([9; 16]));
        assert_eq!(world.measure("write_experiment", case, write).await, Ok(Overtaken::No));
        for product in products(&world, &draft).await.values() {
            assert_eq!(product.pricing.overlay.as_ref().unwrap().coverage.get(), 9000);
        }
    }
}

#[tokio::test]
async fn a_stop_with_a_winner_sets_the_prices_of_all_products() {
    for case in ["a stop with 1 product", "a stop with 50 products"] {
        let (world, draft) = world_with(count_in(case)).await;
        patch(&world, 1, "*", &start(), 20).await.unwrap();
        let running = world.table.experiment(draft.experiment_id).await.unwrap();
        let change = changed(&running, json!({"status": "stopped", "winner": "low"}), later(120));
        let (planned, effect) = prepared(&world, change, later(120)).await;
        let write = world.table.write_experiment(&planned, effect, Writer([9; 16]));
        assert_eq!(world.measure("write_experiment", case, write).await, Ok(Overtaken::No));
        for product in products(&world, &draft).await.values() {
            assert_eq!((product.draft.price.amount, product.version), (590, 3));
            assert!(product.pricing.overlay.is_none());
            let promised = |until| product.offer_promised_until(until, None).price.amount;
            let promised = product.pricing.promised_until(later(121)).map(promised);
            assert_eq!(promised.collect::<Vec<_>>(), [650; 2]);
        }
    }
}

#[tokio::test]
async fn the_page_and_the_lists_of_a_product_have_its_overlay() {
    let (world, draft) = world_with(1).await;
    patch(&world, 1, "*", &start(), 20).await.unwrap();
    let overlay = Some(draft.draft.overlay(draft.experiment_id, product_id(1)));
    let page = world.table.product_page(product_id(1), 20).await.unwrap();
    assert_eq!(page.listed.product.pricing.overlay, overlay);
    assert_eq!(page.listed.version(), PageVersion { product: 2, stock: 1 });
    let size = PageSize::DEFAULT;
    let seller = world.table.products_of_seller(user_id(SELLER), size, None).await.unwrap();
    let food = world.table.products_of_category(&"food".parse().unwrap(), size, None).await.unwrap();
    for listed in [&seller.items[0], &food.items[0]] {
        assert_eq!(listed.product.pricing.overlay, overlay);
    }
}

#[tokio::test]
async fn a_draft_changes_without_its_products() {
    let (world, draft) = world_with(1).await;
    let renamed = changed(&draft, json!({"name": "Other"}), later(5));
    let (planned, effect) = prepared(&world, renamed.clone(), later(5)).await;
    let write = world.table.write_experiment(&planned, effect, Writer([9; 16]));
    assert_eq!(world.measure("write_experiment", "a draft", write).await, Ok(Overtaken::No));
    let stale = world.table.write_experiment(&planned, ExperimentEffect::None, Writer([8; 16]));
    let stale = world.measure("write_experiment", "another was faster", stale).await;
    assert_eq!(stale, Err(Error::Stale { current: 2 }));
    assert_eq!(world.table.experiment(draft.experiment_id).await, Ok(renamed.experiment));
}

#[tokio::test]
async fn a_product_that_changes_before_the_start_is_written_keeps_everything_unchanged() {
    let (world, draft) = world_with(2).await;
    let change = changed(&draft, start(), now());
    let planned = change.writes(&products(&world, &draft).await, now()).unwrap();
    let mut other = tests::samples::next_version(&world.table.product(product_id(2)).await.unwrap());
    other.draft.price = Money { amount: 700, ..other.draft.price };
    world.table.replace_product(&other, &other.draft.category, Writer([5; 16])).await.unwrap();
    let write = world.table.write_experiment(&planned, ExperimentEffect::Start, Writer([9; 16]));
    let write = world.measure("write_experiment", "a product was changed", write).await;
    assert_eq!(write, Ok(Overtaken::ByProduct));
    assert_eq!(world.table.experiment(draft.experiment_id).await, Ok(draft.clone()));
    assert!(products(&world, &draft).await.values().all(|product| product.pricing.overlay.is_none()));
    // The function reads the products again, and records the price as it is then.
    let answer = patch(&world, 1, "*", &start(), 20).await.unwrap();
    let body: Experiment = serde_json::from_str(answer.body.as_text()).unwrap();
    let prices: Vec<_> = body.control_prices.iter().map(|own| own.price.amount).collect();
    assert_eq!(prices, [650, 700]);
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_succeeds_and_one_that_dies_can_be_repeated() {
    let (world, draft) = world_with(3).await;
    world.wire.next("TransactWriteItems", [Fault::Unreachable, Fault::Unreachable, Fault::Unreachable]);
    let died = patch(&world, 1, "\"1\"", &start(), 20).await;
    assert_eq!(died.unwrap_err().kind.describe().0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(products(&world, &draft).await.values().all(|product| product.pricing.overlay.is_none()));
    world.wire.next("TransactWriteItems", [Fault::AnswerLost, Fault::AnswerLost]);
    let started = patch(&world, 1, "\"1\"", &start(), 21).await.unwrap();
    assert_eq!(started.status, StatusCode::OK);
    assert!(products(&world, &draft).await.values().all(|product| product.version == 2));
}

#[tokio::test]
async fn a_repeated_patch_changes_nothing_more() {
    let (world, draft) = world_with(1).await;
    let first = patch(&world, 1, "\"1\"", &start(), 20).await.unwrap();
    let stale = patch(&world, 1, "\"1\"", &start(), 21).await.unwrap_err();
    assert_eq!(stale.kind.describe().0, StatusCode::PRECONDITION_FAILED);
    let again = patch(&world, 1, "*", &start(), 22).await.unwrap();
    assert_eq!(again.body, first.body);
    assert_eq!(world.table.product(product_id(1)).await.unwrap().version, 2);
    patch(&world, 1, "*", &stop(), 23).await.unwrap();
    let stopped = world.table.experiment(draft.experiment_id).await.unwrap();
    patch(&world, 1, "*", &stop(), 24).await.unwrap();
    assert_eq!(world.table.experiment(draft.experiment_id).await, Ok(stopped));
}

#[tokio::test]
async fn a_product_that_is_withdrawn_while_it_is_tested_is_passed_over_by_the_stop() {
    let (world, draft) = world_with(2).await;
    patch(&world, 1, "*", &start(), 20).await.unwrap();
    let hidden = world.table.hide_product(withdrawal(product_id(1), 2)).await;
    assert_eq!(hidden, Ok(Hidden::Done));
    let winner = json!({"status": "stopped", "winner": "low"});
    patch(&world, 1, "*", &winner, 21).await.unwrap();
    assert_eq!(amount(&world, 2).await, 590);
    let stopped = world.table.experiment(draft.experiment_id).await.unwrap();
    assert_eq!((stopped.status, stopped.stopped_by), (ExperimentStatus::Stopped, Some(StoppedBy::Seller)));
}

/// Orders change the stock, which is another item.
#[tokio::test]
async fn a_sale_does_not_stand_in_the_way_of_a_start() {
    let (world, draft) = world_with(1).await;
    let planned = changed(&draft, start(), now()).writes(&products(&world, &draft).await, now()).unwrap();
    let sale = StockChange::Add(-1);
    world.table.change_stock(product_id(1), user_id(SELLER), sale, None, now()).await.unwrap();
    let write = world.table.write_experiment(&planned, ExperimentEffect::Start, Writer([9; 16])).await;
    assert_eq!(write, Ok(Overtaken::No));
}

#[tokio::test]
async fn the_experiments_of_a_closed_account_are_deleted() {
    let (world, draft) = world_with(1).await;
    patch(&world, 1, "*", &start(), 20).await.unwrap();
    let (owner, id) = (user_id(SELLER), draft.experiment_id);
    // A count was made, and another one is being made.
    let begin = async |byte| world.table.begin_count(id, Writer([byte; 16]), now(), later(40)).await;
    let time = CountTime { counted_at: now(), duration_ms: 10 };
    let count = StoredCount { time, as_of: now(), totals: "{}".to_owned() };
    world.table.end_count(begin(1).await.unwrap().unwrap(), &count).await.unwrap();
    begin(2).await.unwrap().unwrap();
    let delete = world.table.delete_experiments(owner);
    assert_eq!(world.measure("delete_experiments", "a running one", delete).await, Ok(false));
    let none = world.table.delete_experiments(owner);
    assert_eq!(world.measure("delete_experiments", "none", none).await, Ok(false));
    for key in [
        keys::experiments::experiment(id),
        keys::experiments::experiment_count(id),
        keys::experiments::count_lease(id),
        keys::experiments::running(owner, id),
    ] {
        assert!(world.item(&key).is_null(), "{key:?}");
    }
}

#[tokio::test]
async fn products_of_somebody_else_are_named() {
    let (world, _) = world_with(1).await;
    world.publish(&product(2, 8)).await;
    let foreign = draft(2, 1, 2);
    world.table.create_experiment(&foreign, None).await.unwrap();
    let refused = patch(&world, 2, "*", &start(), 20).await.unwrap_err();
    let details: Vec<_> = refused.faults.iter().map(|fault| fault.detail.as_str()).collect();
    assert_eq!(details, ["is no product of yours"]);
    assert_eq!(world.table.product(product_id(1)).await.unwrap().version, 1);
}
