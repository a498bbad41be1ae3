//! Log-in sessions.

use crate::is_unavailable;
use domain::{Error, session::Session};
use serde_json::json;
use table::keys;
use tests::{
    Fault, World,
    samples::{later, now, session, user_id},
};

const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

/// Stand-ins for SHA-256 hashes of refresh secrets.
const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];
const THIRD: [u8; 32] = [3; 32];

#[tokio::test]
async fn a_session_is_stored_with_the_hash_of_its_secret_alone() {
    let world = World::new();
    let (session, _) = session(1, 1);
    let create = world.table.create_session(&session);
    world.measure("create_session", "", create).await.unwrap();
    let id = "019aa251-4760-7000-8000-000000000001";
    assert_eq!(
        world.items(),
        [json!({
            "pk": {"S": format!("SESSION#{id}")}, "sk": {"S": id},
            "secretHash": {"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},
            "expiresAt": {"N": "1763660827040"}, "ttl": {"N": "1763660827"},
        })]
    );
}

#[tokio::test]
async fn a_session_whose_answer_was_lost_is_written_once() {
    let world = World::new();
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(world.table.create_session(&session(1, 1).0).await, Ok(()));
    assert_eq!(world.items().len(), 1);
}

#[tokio::test]
async fn a_secret_is_exchanged_once_for_the_next() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    let rotate = world.table.rotate_session(&token, &FIRST, &SECOND, later(1), later(2000));
    assert_eq!(world.measure("rotate_session", "the secret that is good", rotate).await, Ok(()));

    let stored = world.item(&keys::session(&session));
    assert_eq!(stored["secretHash"], json!({"B": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="}));
    assert_eq!(stored["expiresAt"], json!({"N": "1763661827040"}));
    assert_eq!(stored["ttl"], json!({"N": "1763661827"}));
    let rotate = world.table.rotate_session(&token, &SECOND, &THIRD, later(2), later(2000));
    assert_eq!(rotate.await, Ok(()));
}

#[tokio::test]
async fn a_secret_that_is_used_again_ends_the_session() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.table.rotate_session(&token, &FIRST, &SECOND, now(), later(2000)).await.unwrap();

    let reuse = world.table.rotate_session(&token, &FIRST, &THIRD, now(), later(2000));
    let refused = world.measure("rotate_session", "a secret used before", reuse).await;
    assert_eq!(refused, Err(REFUSED));
    assert_ended(&world, &session);
    let rightful = world.table.rotate_session(&token, &SECOND, &THIRD, now(), later(2000));
    assert_eq!(rightful.await, Err(REFUSED), "the present secret is void as well");
}

#[tokio::test]
async fn a_secret_that_never_was_ends_the_session() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    let forged = world.table.rotate_session(&token, &THIRD, &SECOND, now(), later(2000));
    assert_eq!(forged.await, Err(REFUSED));
    assert_ended(&world, &session);
}

#[tokio::test]
async fn an_exchange_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    let rotate = world.table.rotate_session(&token, &FIRST, &SECOND, now(), later(2000));
    assert_eq!(rotate.await, Ok(()));
    assert_eq!(world.items().len(), 1, "the session goes on");
}

/// If the end of the session fails, a reuse returns another error, and the next reuse ends the session.
#[tokio::test]
async fn a_reuse_whose_end_of_the_session_failed_is_unavailable() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.wire.next("PutItem", [(); 3].map(|()| Fault::Throttled));
    let reuse = world.table.rotate_session(&token, &THIRD, &SECOND, now(), later(2000)).await;
    assert!(is_unavailable(&reuse), "{reuse:?}");
    assert_eq!(world.item(&keys::session(&session))["expiresAt"], json!({"N": "1763660827040"}));
    let reuse = world.table.rotate_session(&token, &THIRD, &SECOND, now(), later(2000)).await;
    assert_eq!(reuse, Err(REFUSED));
    assert_ended(&world, &session);
}

/// DynamoDB deletes expired items late, so the expiry time is checked.
#[tokio::test]
async fn an_expired_session_is_refused_although_it_is_still_stored() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    for at in [session.expires_at, session.expires_at.plus_seconds(1)] {
        let rotate = world.table.rotate_session(&token, &FIRST, &SECOND, at, at.plus_seconds(9)).await;
        assert_eq!(rotate, Err(REFUSED));
    }
    let forged = world.table.rotate_session(&token, &THIRD, &SECOND, session.expires_at, later(2000)).await;
    assert_eq!(forged, Err(REFUSED));
    let stored = world.item(&keys::session(&session));
    assert_eq!(stored["ttl"], json!({"N": "1763660827"}), "neither revived nor deleted ahead of time");
}

#[tokio::test]
async fn a_session_that_is_not_there_is_refused_and_not_made() {
    let world = World::new();
    let (_, token) = session(1, 1);
    let rotate = world.table.rotate_session(&token, &FIRST, &SECOND, now(), later(2000));
    let refused = world.measure("rotate_session", "no session", rotate).await;
    assert_eq!(refused, Err(REFUSED));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn a_session_ends_once_and_stays_ended() {
    let world = World::new();
    let ((first, _), (second, _)) = (session(1, 1), session(2, 1));
    world.table.create_session(&first).await.unwrap();
    world.table.create_session(&second).await.unwrap();
    let end = world.table.end_session(first.user_id, first.session_id, now());
    world.measure("end_session", "", end).await.unwrap();
    world.wire.next("PutItem", [Fault::AnswerLost]);
    world.table.end_session(first.user_id, first.session_id, now()).await.unwrap();
    assert_ended(&world, &first);
    assert!(world.item(&keys::session(&second))["secretHash"].is_object(), "the other session goes on");
}

/// Stores these sessions of the same user.
async fn sessions(world: &World, numbers: std::ops::Range<u32>) -> Vec<Session> {
    let mut stored = Vec::new();
    for number in numbers {
        let session = Session { user_id: user_id(1), ..session(number, 1).0 };
        world.table.create_session(&session).await.unwrap();
        stored.push(session);
    }
    world.measured();
    stored
}

fn is_open(world: &World, session: &Session) -> bool {
    world.item(&keys::session(session))["secretHash"].is_object()
}

#[tokio::test]
async fn all_sessions_of_a_user_end_but_one() {
    let world = World::new();
    let own = sessions(&world, 0..3).await;
    let (other, _) = session(9, 1);
    world.table.create_session(&other).await.unwrap();
    world.measured();

    let end = world.table.end_sessions(user_id(1), Some(own[1].session_id), now());
    assert_eq!(world.measure("end_sessions", "two of three", end).await, Ok(()));
    assert_ended(&world, &own[0]);
    assert_ended(&world, &own[2]);
    assert!(is_open(&world, &own[1]) && is_open(&world, &other));

    assert_eq!(world.table.end_sessions(user_id(1), None, now()).await, Ok(()));
    assert_ended(&world, &own[1]);
    assert!(is_open(&world, &other));
    world.measured();
    let end = world.table.end_sessions(user_id(1), None, now());
    assert_eq!(world.measure("end_sessions", "none", end).await, Ok(()));
}

/// What fails on the way is ended when the call is repeated.
#[tokio::test]
async fn ending_all_sessions_goes_on_where_it_stopped() {
    let world = World::new();
    let own = sessions(&world, 0..130).await;
    world.wire.next("BatchWriteItem", [(); 4].map(|()| Fault::LeftOver(0)));
    world.wire.always("BatchWriteItem", Fault::Throttled);
    assert!(is_unavailable(&world.table.end_sessions(user_id(1), None, now()).await));
    assert_eq!(own.iter().filter(|session| is_open(&world, session)).count(), 30);
    world.wire.heal();
    world.wire.take_sent();
    assert_eq!(world.table.end_sessions(user_id(1), None, now()).await, Ok(()));
    assert!(own.iter().all(|session| !is_open(&world, session)));
    let written = world.wire.take_sent().iter().filter(|sent| sent.operation == "BatchWriteItem").count();
    assert_eq!(written, 2, "the 100 that had ended were not ended again");
}

/// The SDK repeats a PutItem that was not answered in time; the first one may arrive after all that followed.
#[tokio::test]
async fn a_session_that_has_ended_is_not_revived_by_a_late_request() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.table.end_session(session.user_id, session.session_id, now()).await.unwrap();
    assert_eq!(world.table.create_session(&session).await, Ok(()));
    assert_ended(&world, &session);
    let rotate = world.table.rotate_session(&token, &FIRST, &SECOND, later(1), later(2000));
    assert_eq!(rotate.await, Err(REFUSED));
    assert_ended(&world, &session);
}

/// A delayed PutItem must not bring back a secret that was exchanged since.
#[tokio::test]
async fn a_secret_that_was_exchanged_is_not_revived_by_a_late_request() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.table.rotate_session(&token, &FIRST, &SECOND, later(1), later(2000)).await.unwrap();
    assert_eq!(world.table.create_session(&session).await, Ok(()));
    let rotate = world.table.rotate_session(&token, &SECOND, &THIRD, later(2), later(2000));
    assert_eq!(rotate.await, Ok(()));
}

/// An ended session has no secret, and is deleted an hour later.
fn assert_ended(world: &World, session: &Session) {
    let key = keys::session(session);
    let ended = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}, "ttl": {"N": "1763663427"}});
    assert_eq!(world.item(&keys::session(session)), ended);
}
