//! Log-in sessions.

use crate::is_unavailable;
use domain::{
    Error,
    id::{Id, SessionId},
    session::{Exchange, ListedSession, MOST_SESSIONS, RefreshToken, Session},
    user::Caller,
};
use serde_json::json;
use table::keys;
use tests::{
    Fault, World,
    samples::{caller, exchange, later, now, session, user_id},
};

const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

const ENDED: Error = Error::Unauthenticated { detail: "The session has ended." };

const DAY: u64 = 24 * 60 * 60;

#[tokio::test]
async fn a_session_is_stored_with_the_hash_of_its_secret_alone() {
    let world = World::new();
    let session = Session { user_agent: Some("curl/8".to_owned()), ..session(1, 1).0 };
    let create = world.table.create_session(&session);
    world.measure("create_session", "", create).await.unwrap();
    let id = "019aa251-4760-7000-8000-000000000001";
    assert_eq!(
        world.items(),
        [json!({
            "pk": {"S": format!("SESSION#{id}")}, "sk": {"S": id},
            "secretHash": {"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},
            "expiresAt": {"N": "1763660827040"}, "ttl": {"N": "1763660827"}, "userAgent": {"S": "curl/8"},
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
async fn a_secret_is_exchanged_for_the_next() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    let rotate = world.table.rotate_session(&token, exchange(1, 2), later(1));
    let rotated = world.measure("rotate_session", "the secret that is good", rotate).await;
    assert_eq!(rotated, Ok(later(1 + 30 * DAY)));

    let stored = world.item(&keys::session(&session));
    assert_eq!(stored["secretHash"], json!({"B": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="}));
    assert_eq!(stored["previousHash"], json!({"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}));
    assert_eq!(stored["expiresAt"], json!({"N": "1766251828040"}));
    assert_eq!(stored["ttl"], json!({"N": "1766251828"}));
    assert!(world.table.rotate_session(&token, exchange(2, 3), later(2)).await.is_ok());
}

/// The session is opened, and its secrets 1 and 2 are exchanged now.
async fn exchanged_twice(world: &World) -> (Session, RefreshToken) {
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    for secret in [1, 2] {
        world.table.rotate_session(&token, exchange(secret, secret + 1), now()).await.unwrap();
    }
    world.measured();
    (session, token)
}

#[tokio::test]
async fn an_exchanged_secret_gets_the_same_successor_for_some_seconds_and_then_ends_the_session() {
    let world = World::new();
    let (session, token) = exchanged_twice(&world).await;
    for seconds in [0, 9] {
        let again = world.table.rotate_session(&token, exchange(2, 3), later(seconds)).await;
        assert_eq!(again, Ok(later(30 * DAY)), "the end of the first exchange");
    }
    world.measured();
    let reuse = world.table.rotate_session(&token, exchange(2, 3), later(10));
    let reused = world.measure("rotate_session", "a secret used before", reuse).await;
    assert_eq!(reused, Err(Error::RefreshReused));
    assert!(!is_open(&world, &session));
    let rightful = world.table.rotate_session(&token, exchange(3, 4), later(10)).await;
    assert_eq!(rightful, Err(REFUSED), "the present secret is void as well");
}

/// Somebody may exchange a stolen secret several times before its owner exchanges it.
#[tokio::test]
async fn an_older_secret_ends_the_session_at_once() {
    let world = World::new();
    let (session, token) = exchanged_twice(&world).await;
    let reused = world.table.rotate_session(&token, exchange(1, 2), now()).await;
    assert_eq!(reused, Err(Error::RefreshReused));
    assert_ended(&world, &session);
}

/// Session and user ids are no secrets: who knows them cannot end the session.
#[tokio::test]
async fn a_made_up_secret_changes_nothing() {
    let world = World::new();
    let (session, token) = exchanged_twice(&world).await;
    let before = world.item(&keys::session(&session));
    let made_up = Exchange { issued: false, ..exchange(9, 3) };
    let refused = world.table.rotate_session(&token, made_up, now());
    assert_eq!(world.measure("rotate_session", "a made-up secret", refused).await, Err(REFUSED));
    assert_eq!(world.item(&keys::session(&session)), before);
}

#[tokio::test]
async fn an_exchange_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    let rotate = world.table.rotate_session(&token, exchange(1, 2), now());
    assert_eq!(rotate.await, Ok(later(30 * DAY)));
    assert!(is_open(&world, &session));
}

/// If the end of the session fails, a reuse returns another error, and the next reuse ends the session.
#[tokio::test]
async fn a_reuse_whose_end_of_the_session_failed_is_unavailable() {
    let world = World::new();
    let (session, token) = exchanged_twice(&world).await;
    world.wire.next("PutItem", [(); 3].map(|()| Fault::Throttled));
    let reuse = world.table.rotate_session(&token, exchange(1, 2), now()).await;
    assert!(is_unavailable(&reuse), "{reuse:?}");
    assert!(is_open(&world, &session));
    let reused = world.table.rotate_session(&token, exchange(1, 2), now()).await;
    assert_eq!(reused, Err(Error::RefreshReused));
    assert_ended(&world, &session);
}

#[tokio::test]
async fn no_refresh_extends_a_session_beyond_90_days() {
    let world = World::new();
    let (session, token) = session(1, 1);
    let session = Session { expires_at: later(30 * DAY), ..session };
    world.table.create_session(&session).await.unwrap();
    for (secret, day, end) in [(1, 29, 59), (2, 58, 88), (3, 80, 90), (4, 89, 90)] {
        let rotate = world.table.rotate_session(&token, exchange(secret, secret + 1), later(day * DAY));
        assert_eq!(rotate.await, Ok(later(end * DAY)), "{day}");
    }
    let user = session.user_id;
    let open = async |at| world.table.require_session(user, session.session_id, at).await;
    assert_eq!(open(later(90 * DAY - 1)).await, Ok(()));
    assert_eq!(open(later(90 * DAY)).await, Err(ENDED));
    assert_eq!(world.table.rotate_session(&token, exchange(5, 6), later(90 * DAY)).await, Err(REFUSED));
}

/// DynamoDB deletes expired items late, so the expiry time is checked.
#[tokio::test]
async fn an_expired_session_is_refused_although_it_is_still_stored() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    for at in [session.expires_at, session.expires_at.plus_seconds(1)] {
        for secret in [1, 3] {
            let rotate = world.table.rotate_session(&token, exchange(secret, 2), at).await;
            assert_eq!(rotate, Err(REFUSED));
        }
        assert_eq!(world.table.require_session(session.user_id, session.session_id, at).await, Err(ENDED));
    }
    let stored = world.item(&keys::session(&session));
    assert_eq!(stored["ttl"], json!({"N": "1763660827"}), "neither revived nor deleted ahead of time");
}

#[tokio::test]
async fn a_session_that_is_not_there_is_refused_and_not_made() {
    let world = World::new();
    let (_, token) = session(1, 1);
    let rotate = world.table.rotate_session(&token, exchange(1, 2), now());
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

#[tokio::test]
async fn an_open_session_is_read_by_half_a_unit() {
    let world = World::new();
    let own = sessions(&world, 0..1).await;
    let id = own[0].session_id;
    let read = world.table.require_session(user_id(1), id, now());
    assert_eq!(world.measure("require_session", "open", read).await, Ok(()));
    assert_eq!(world.table.require_session(user_id(2), id, now()).await, Err(ENDED), "another user's");

    world.table.end_session(user_id(1), id, now()).await.unwrap();
    world.measured();
    let read = world.table.require_session(user_id(1), id, now());
    assert_eq!(world.measure("require_session", "ended", read).await, Err(ENDED));
}

/// The first request of a client follows its log-in within milliseconds.
#[tokio::test]
async fn a_new_session_that_an_eventually_consistent_read_misses_is_read_again() {
    let world = World::new();
    let own = sessions(&world, 0..1).await;
    world.wire.next("GetItem", [Fault::Answered(json!({}))]);
    assert_eq!(world.table.require_session(user_id(1), own[0].session_id, now()).await, Ok(()));
    world.measured();
    let read = world.table.require_session(user_id(1), session(7, 1).0.session_id, now());
    assert_eq!(world.measure("require_session", "never stored", read).await, Err(ENDED));
}

#[tokio::test]
async fn a_list_has_the_open_sessions_of_the_caller_newest_first() {
    let world = World::new();
    let caller = caller(1);
    let at = |minutes: u64| SessionId::new(later(60 * minutes), [1; 10]);
    let opened = |minutes: u64, days: u64| Session {
        user_id: caller.user_id,
        session_id: at(minutes),
        expires_at: later(days * DAY),
        user_agent: (minutes == 2).then(|| "curl/8".to_owned()),
        ..session(1, 1).0
    };
    for session in [opened(1, 30), opened(2, 30), opened(3, 30), opened(4, 1), session(2, 1).0] {
        world.table.create_session(&session).await.unwrap();
    }
    let token = RefreshToken { session_id: at(1), ..session(1, 1).1 };
    world.table.rotate_session(&token, exchange(1, 2), later(DAY)).await.unwrap();
    world.table.end_session(caller.user_id, at(3), later(DAY)).await.unwrap();
    world.measured();

    let current = Caller { session_id: at(1), ..caller };
    let list = world.table.sessions(&current, later(DAY));
    let listed = world.measure("sessions", "two open of four", list).await.unwrap();
    let expected = [
        ListedSession {
            session_id: at(2),
            created_at: later(120),
            last_used_at: later(120),
            expires_at: later(30 * DAY),
            user_agent: Some("curl/8".to_owned()),
            current: false,
        },
        ListedSession {
            session_id: at(1),
            created_at: later(60),
            last_used_at: later(DAY),
            expires_at: later(31 * DAY),
            user_agent: None,
            current: true,
        },
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn only_a_session_of_the_user_is_ended() {
    let world = World::new();
    let own = sessions(&world, 0..1).await;
    let missing = Err(Error::NotFound { what: "session" });
    let end = world.table.end_session(user_id(2), own[0].session_id, now());
    assert_eq!(world.measure("end_session", "no such session", end).await, missing);
    assert!(is_open(&world, &own[0]));
    assert_eq!(world.items().len(), 1);
}

#[tokio::test]
async fn a_user_keeps_the_newest_sessions() {
    let world = World::new();
    let most = u32::try_from(MOST_SESSIONS).unwrap();
    let mut own = sessions(&world, 0..most + 2).await;
    own.sort_by_key(|session| session.session_id);
    let end = world.table.end_oldest_sessions(user_id(1), now());
    assert_eq!(world.measure("end_oldest_sessions", "two of 52", end).await, Ok(()));
    let open: Vec<bool> = own.iter().map(|session| is_open(&world, session)).collect();
    assert_eq!(open, [vec![false; 2], vec![true; MOST_SESSIONS]].concat());
    let end = world.table.end_oldest_sessions(user_id(1), now());
    assert_eq!(world.measure("end_oldest_sessions", "none of 50", end).await, Ok(()));
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
    let rotate = world.table.rotate_session(&token, exchange(1, 2), later(1));
    assert_eq!(rotate.await, Err(REFUSED));
    assert_ended(&world, &session);
}

/// A delayed PutItem must not bring back a secret that was exchanged since.
#[tokio::test]
async fn a_secret_that_was_exchanged_is_not_revived_by_a_late_request() {
    let world = World::new();
    let (session, token) = session(1, 1);
    world.table.create_session(&session).await.unwrap();
    world.table.rotate_session(&token, exchange(1, 2), later(1)).await.unwrap();
    assert_eq!(world.table.create_session(&session).await, Ok(()));
    assert!(world.table.rotate_session(&token, exchange(2, 3), later(2)).await.is_ok());
}

/// An ended session has no secret, and is deleted an hour later.
fn assert_ended(world: &World, session: &Session) {
    let key = keys::session(session);
    let ended = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}, "ttl": {"N": "1763663427"}});
    assert_eq!(world.item(&keys::session(session)), ended);
}
