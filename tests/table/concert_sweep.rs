//! concert-sweep: which requests it undoes, and when it forgets them.

use crate::{
    application::{Lines, context_at},
    concert_support::{concert_id, prepare, request},
};
use app::sweep::Swept;
use domain::{
    Timestamp,
    concert::{ConcertRequest, Progress},
    saga::FailedStep,
};
use serde_json::json;
use table::{SweepPosition, keys};
use tests::{
    Fault, World,
    samples::{later, now, once},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/concert-sweep/src/main.rs"]
mod function;

/// The minimum age of requests that the sweep processes.
const AFTER: u64 = 600;

/// Sweeps at this time.
async fn sweep(world: &World, now: Timestamp) -> Result<Swept, domain::Error> {
    let settings = [("SWEEP_AFTER_SECONDS", "600")];
    let app = function::App::new(context_at(world, &settings, now, &Lines::default())).unwrap();
    function::sweep(&app, serde_json::from_value(json!({})).unwrap()).await
}

async fn recorded(number: u32) -> (World, ConcertRequest) {
    let (world, request) = (World::new(), request(number));
    world.table.record_request(&request, &once("key", 1)).await.unwrap();
    (world, request)
}

#[expect(clippy::unnecessary_wraps, reason = "what a sweep returns")]
fn swept(found: usize, settled: usize) -> Result<Swept, domain::Error> {
    Ok(Swept { found, settled, failed: 0, stuck: 0 })
}

fn failed() -> Progress {
    Progress::Failed { reason: FailedStep::new("concert-create".to_owned(), "States.Timeout") }
}

async fn progress(world: &World) -> Progress {
    world.table.request(concert_id(1)).await.unwrap().1
}

fn entries(world: &World) -> usize {
    usize::from(!world.item(&keys::unfinished(concert_id(1))).is_null())
}

#[tokio::test]
async fn a_request_whose_execution_died_is_undone_and_then_forgotten() {
    let (world, request) = recorded(1).await;
    let before = world.items();
    prepare(&world, &request).await;
    assert_eq!(sweep(&world, later(AFTER - 1)).await, swept(0, 0), "its execution may be about to start");
    assert_eq!(sweep(&world, later(AFTER + 1)).await, swept(1, 0));
    assert_eq!((progress(&world).await, world.items().len()), (failed(), before.len()));
    // An execution that has begun before the undo goes on, prepares items, and dies.
    prepare(&world, &request).await;
    assert!(world.table.publish_concert(&request, later(AFTER + 2)).await.is_err());
    assert_eq!(sweep(&world, later(AFTER + 2)).await, swept(1, 0));
    assert_eq!(sweep(&world, later(2 * AFTER + 2)).await, swept(1, 1));
    assert_eq!((progress(&world).await, world.items().len()), (failed(), before.len() - 1));
    assert_eq!(sweep(&world, later(3 * AFTER)).await, swept(0, 0));
}

#[tokio::test]
async fn what_is_published_stays() {
    let (world, request) = recorded(1).await;
    prepare(&world, &request).await;
    world.table.publish_concert(&request, later(700)).await.unwrap();
    let published = world.items();
    assert_eq!(sweep(&world, later(1000)).await, swept(1, 0));
    assert_eq!(world.items(), published);
    assert_eq!(sweep(&world, later(1301)).await, swept(1, 1));
    assert_eq!((progress(&world).await, world.items().len()), (Progress::Done, published.len() - 1));
}

/// Two executions of one request ran; the concert was published and deleted before the second one prepared it again.
#[tokio::test]
async fn a_concert_that_is_prepared_again_after_its_deletion_does_not_stay() {
    let (world, request) = recorded(1).await;
    prepare(&world, &request).await;
    world.table.publish_concert(&request, now()).await.unwrap();
    world.table.delete_concert(&request.concert()).await.unwrap();
    let after = world.items();
    world.table.prepare_concert(&request.concert()).await.unwrap();
    assert_eq!(sweep(&world, later(AFTER + 1)).await, swept(1, 1));
    assert_eq!(
        world.items().len(),
        after.len() - 1,
        "the concert and the entry are gone; band and venue stay"
    );
    assert_eq!(progress(&world).await, Progress::Done);
}

#[tokio::test]
async fn a_sweep_that_fails_is_completed_by_the_next_one() {
    for (operation, fault) in
        [("DeleteItem", Fault::Unreachable), ("UpdateItem", Fault::AnswerLost), ("GetItem", Fault::Failing)]
    {
        let (world, request) = recorded(1).await;
        prepare(&world, &request).await;
        world.wire.always(operation, fault);
        assert!(crate::is_unavailable(&sweep(&world, later(AFTER + 1)).await), "{operation}");
        assert_eq!(entries(&world), 1);
        world.wire.heal();
        sweep(&world, later(AFTER + 1)).await.unwrap();
        assert_eq!(progress(&world).await, failed());
        assert_eq!(sweep(&world, later(3 * AFTER)).await, swept(1, 1));
    }
}

/// A request expires a day after it has ended; if no sweep ran all that time, its entry is left.
#[tokio::test]
async fn the_entry_of_an_expired_request_is_deleted() {
    let world = World::new();
    world.put(&keys::unfinished(concert_id(1)), &json!({}));
    assert_eq!(sweep(&world, later(100_000)).await, swept(1, 1));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn requests_are_found_by_age_and_forgotten() {
    let (world, request) = recorded(1).await;
    let table = &world.table;
    let start = SweepPosition::start();
    let found = table.unfinished_requests(later(9), &start);
    let (found, next) = world.measure("unfinished_requests", "", found).await.unwrap();
    assert_eq!((found, next.is_end()), (vec![concert_id(1)], true));
    let read = table.request_with_end(concert_id(1));
    assert_eq!(world.measure("request_with_end", "", read).await, Ok((request, None)));
    table.reject_request(concert_id(1), FailedStep::new("s".to_owned(), "x"), later(5)).await.unwrap();
    assert_eq!(table.request_with_end(concert_id(1)).await.unwrap().1, Some(later(5)));
    let finish = table.finish_request(concert_id(1));
    assert_eq!(world.measure("finish_request", "", finish).await, Ok(()));
    assert_eq!(entries(&world), 0);
}
