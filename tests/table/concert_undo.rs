//! The undo of a concert request: the concert is deleted first, and nothing is deleted once the concert is published.

use crate::{
    application::context,
    concert_support::{concert_id, prepare, request_with, requested_band, requested_venue},
    is_unavailable,
};
use domain::{
    Error,
    concert::{ConcertRequest, Progress},
    saga::FailedStep,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::{
    Fault, World,
    samples::{now, once},
    units::describe,
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/concert-undo/src/main.rs"]
mod function;

const CONCERT: &str = "DeleteItem CONCERT#";
const BAND: &str = "DeleteItem BAND#";
const VENUE: &str = "DeleteItem VENUE#";
const REJECT: &str = "UpdateItem CONCERT#";

/// A recorded request for a concert with two new bands, an existing band and a new venue.
struct Requested {
    world: World,
    app: function::App,
    request: ConcertRequest,
}

impl Requested {
    async fn new() -> Self {
        let bands = vec![requested_band(1, true), requested_band(2, true), requested_band(3, false)];
        Self::of(request_with(1, bands, requested_venue(1, true))).await
    }

    async fn of(request: ConcertRequest) -> Self {
        let world = World::new();
        world.table.record_request(&request, &once("key", 1)).await.unwrap();
        let app = function::App::new(context(&world, &[])).unwrap();
        Self { world, app, request }
    }

    async fn prepared() -> Self {
        let requested = Self::new().await;
        prepare(&requested.world, &requested.request).await;
        requested.world.measured();
        requested
    }

    /// Invokes the function; returns whether the concert was published.
    async fn undo(&self) -> Result<Value, Error> {
        let input = json!({"request": self.request, "step": "concert-publish", "error": "Internal"});
        let output = function::undo(&self.app, serde_json::from_value(input).unwrap()).await?;
        Ok(serde_json::to_value(output).unwrap()["published"].clone())
    }

    fn requests(&self) -> Vec<String> {
        self.world.wire.take_sent().iter().map(describe).collect()
    }

    async fn progress(&self) -> Progress {
        self.world.table.request(concert_id(1)).await.unwrap().1
    }
}

fn failed() -> Progress {
    Progress::Failed { reason: FailedStep::new("concert-publish".to_owned(), "Internal") }
}

/// Only the new bands and the new venue are deleted. The same deletions are sent whether or not these were created yet.
#[tokio::test]
async fn the_concert_goes_first_and_the_failure_is_recorded_last() {
    let (prepared, unprepared) = (Requested::prepared().await, Requested::new().await);
    unprepared.world.measured();
    for requested in [&prepared, &unprepared] {
        assert_eq!(requested.undo().await, Ok(json!(false)));
        let mut requests = requested.requests();
        requests[1..4].sort();
        assert_eq!(requests, [CONCERT, BAND, BAND, VENUE, REJECT]);
        assert_eq!(requested.progress().await, failed());
    }
    assert_eq!(prepared.world.items(), unprepared.world.items(), "nothing is left of what was prepared");
    let items = prepared.world.items();
    assert_eq!(prepared.undo().await, Ok(json!(false)));
    assert_eq!(prepared.world.items(), items, "a second time changes nothing");
}

#[tokio::test]
async fn an_undo_keeps_items_that_existed_before() {
    let bands = vec![requested_band(1, false)];
    let requested = Requested::of(request_with(1, bands, requested_venue(1, false))).await;
    requested.world.measured();
    assert_eq!(requested.undo().await, Ok(json!(false)));
    assert_eq!(requested.requests(), [CONCERT, REJECT]);
}

#[tokio::test]
async fn nothing_is_deleted_once_the_concert_is_published() {
    let requested = Requested::prepared().await;
    requested.world.table.publish_concert(&requested.request, now()).await.unwrap();
    requested.world.measured();
    let items = requested.world.items();
    assert_eq!(requested.undo().await, Ok(json!(true)));
    assert_eq!(requested.requests(), [CONCERT]);
    assert_eq!(requested.world.items(), items);
    assert_eq!(requested.progress().await, Progress::Done);
}

/// All requests of an operation fail after the first few. The concert request then stays pending, so that its client
/// does not read a failure before the undo is complete, and the next undo completes it.
#[tokio::test]
async fn an_undo_that_fails_is_completed_by_the_next_one() {
    let well = Requested::prepared().await;
    well.undo().await.unwrap();
    let as_it_is = Fault::Altered(Arc::new(|_| {}));
    for (operation, passes) in
        [("DeleteItem", 0), ("DeleteItem", 1), ("DeleteItem", 2), ("DeleteItem", 3), ("UpdateItem", 0)]
    {
        for fault in [Fault::Failing, Fault::Unreachable, Fault::AnswerLost] {
            let requested = Requested::prepared().await;
            requested.world.wire.next(operation, vec![as_it_is.clone(); passes]);
            requested.world.wire.always(operation, fault.clone());
            assert!(is_unavailable(&requested.undo().await), "{operation} after {passes}");
            let requests = requested.requests();
            let others = requests.iter().any(|request| request == BAND || request == VENUE);
            assert_eq!(others, (operation, passes) != ("DeleteItem", 0), "{requests:?}");
            assert_eq!(requests.contains(&REJECT.to_owned()), operation == "UpdateItem", "{requests:?}");
            requested.world.wire.heal();
            assert_eq!(requested.undo().await, Ok(json!(false)));
            assert_eq!(requested.world.items(), well.world.items(), "{operation} after {passes}");
        }
    }
}
