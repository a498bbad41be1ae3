//! Experiments: drafts, lists, starts, rises and stops with the overlays of their products, and the schedule.

use crate::{
    experiment_support::{
        SELLER, changed, context_of, draft, experiment_id, patch, prepared, products, world_with,
    },
    is_unavailable,
};
use domain::{
    Error, Money, Timestamp,
    experiment::{Experiment, ExperimentEffect, ExperimentStatus, StoppedBy},
    idempotency::{Creation, StoredResponse},
    page::PageSize,
    product::PageVersion,
    stock::StockChange,
};
use http::StatusCode;
use serde_json::json;
use table::{Hidden, Overtaken, Writer, keys};
use tests::{
    Fault, World,
    samples::{later, now, once, product, product_id, user_id, withdrawal},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/experiment-schedule/src/main.rs"]
mod schedule;

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

async fn look(world: &World, at: Timestamp, random: u8) -> Result<schedule::Looked, Error> {
    let app = schedule::App::new(context_of(world, at, random)).unwrap();
    schedule::look(&app, serde_json::from_value(json!({})).unwrap()).await
}

/// There is no ClickHouse in these tests, so nothing is counted.
fn looked(found: usize, changed: usize, refused: usize) -> schedule::Looked {
    schedule::Looked { found, changed, refused, counted: 0 }
}

#[tokio::test]
async fn an_experiment_starts_rises_and_stops_by_the_schedule() {
    let (world, draft) = world_with(1).await;
    let hour = 3600;
    let times = json!({"startsAt": later(100), "stopsAt": later(3 * hour),
        "rampUp": [{"afterHours": 1, "coverage": 10000}]});
    patch(&world, 1, "*", &times, 20).await.unwrap();
    assert_eq!(look(&world, later(99), 21).await, Ok(looked(0, 0, 0)));
    assert_eq!(look(&world, later(100), 22).await, Ok(looked(1, 1, 0)));
    assert_eq!(look(&world, later(101), 23).await, Ok(looked(1, 0, 0)));
    assert_eq!(look(&world, later(100 + hour), 24).await, Ok(looked(1, 1, 0)));
    let read = async || world.table.experiment(draft.experiment_id).await.unwrap();
    assert_eq!((read().await.status, read().await.draft.coverage.get()), (ExperimentStatus::Running, 10_000));
    let due = world.table.due_experiments(later(3 * hour), None);
    let (found, next) = world.measure("due_experiments", "one", due).await.unwrap();
    assert_eq!((found.len(), next), (1, None));
    assert_eq!(look(&world, later(3 * hour), 25).await, Ok(looked(1, 1, 0)));
    let stopped = read().await;
    assert_eq!((stopped.stopped_by, stopped.due_at()), (Some(StoppedBy::Schedule), None));
    let due = world.table.due_experiments(later(9 * hour), None);
    assert_eq!(world.measure("due_experiments", "none", due).await, Ok((vec![], None)));
    let since = world.table.experiments_stopped_since(now(), later(9 * hour), None);
    assert_eq!(world.measure("experiments_stopped_since", "one", since).await, Ok((vec![stopped], None)));
    let later_ones = world.table.experiments_stopped_since(later(3 * hour + 1), later(9 * hour), None).await;
    assert_eq!(later_ones, Ok((vec![], None)));
}

#[tokio::test]
async fn a_start_that_fails_by_the_schedule_says_why_and_waits_for_a_change() {
    let (world, draft) = world_with(1).await;
    patch(&world, 1, "*", &json!({"startsAt": later(100)}), 20).await.unwrap();
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    assert_eq!(look(&world, later(100), 21).await, Ok(looked(1, 0, 1)));
    let refused = world.table.experiment(draft.experiment_id).await.unwrap();
    assert_eq!(refused.start_faults[0].pointer, "/variants/1/prices/0/productId");
    assert_eq!(look(&world, later(200), 22).await, Ok(looked(0, 0, 0)));
}

#[tokio::test]
async fn an_experiment_that_cannot_be_looked_at_keeps_the_others_from_nothing() {
    let (world, _) = world_with(2).await;
    let (one, other) = (draft(2, 1, 1), draft(3, 2, 1));
    for (number, experiment) in [(2, &one), (3, &other)] {
        world.table.create_experiment(experiment, None).await.unwrap();
        patch(&world, number, "*", &json!({"startsAt": later(100)}), 20 + number).await.unwrap();
    }
    world.wire.next("TransactWriteItems", [Fault::Refused("ValidationException")]);
    let failed = look(&world, later(100), 30).await;
    assert!(failed.is_err() && !is_unavailable(&failed), "{failed:?}");
    let status = async |experiment: &Experiment| {
        world.table.experiment(experiment.experiment_id).await.unwrap().status
    };
    assert_eq!(status(&one).await, ExperimentStatus::Draft);
    assert_eq!(status(&other).await, ExperimentStatus::Running);
}

#[tokio::test]
async fn the_experiments_of_a_closed_account_are_deleted() {
    let (world, draft) = world_with(1).await;
    patch(&world, 1, "*", &start(), 20).await.unwrap();
    let owner = user_id(SELLER);
    let delete = world.table.delete_experiments(owner);
    assert_eq!(world.measure("delete_experiments", "a running one", delete).await, Ok(false));
    let none = world.table.delete_experiments(owner);
    assert_eq!(world.measure("delete_experiments", "none", none).await, Ok(false));
    assert!(world.table.experiment(draft.experiment_id).await.is_err());
    assert!(world.item(&keys::experiments::running(owner, draft.experiment_id)).is_null());
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
