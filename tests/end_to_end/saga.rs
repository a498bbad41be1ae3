//! Faults at every step of concert-create: either everything of a concert is created, or nothing.

use crate::{
    backend::{FAULTS, StepFault, rules},
    concerts::{concert, venue},
    own_instance::OwnInstance,
    souk::{Answer, Souk, User, eventually, unique},
};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use table::keys;

const STEPS: [&str; 4] = ["band-prepare", "venue-prepare", "concert-prepare", "concert-publish"];
const MACHINE: &str = "ConcertCreateMachineArn";
const UNDO: &str = "concert-undo";

fn ask(souk: &Souk, user: &User, name: &str) -> Answer {
    let bands = json!([{"name": format!("{name} One")}, {"name": format!("{name} Two")}]);
    let call = user.call("POST", "/concerts").header("idempotency-key", name).header("prefer", "wait=10");
    souk.send(call.json(&concert(&bands, &venue(1.29, 103.85))))
}

/// The paths of resources and lists that show parts of a requested concert.
pub fn windows(request: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bands = request["bands"].as_array().unwrap();
    let bands = bands.iter().flat_map(|band| {
        let id = text(&band["bandId"]);
        [format!("/bands/{id}"), format!("/concerts?bandIds={id}")]
    });
    bands.chain([format!("/venues/{}", text(&request["venue"]["venueId"]))]).collect()
}

/// Whether one of these paths shows anything.
pub fn is_seen(souk: &Souk, window: &str) -> bool {
    let answer = souk.get(window);
    assert!(matches!(answer.status, 200 | 404), "{answer:?}");
    answer.status == 200 && answer.body["items"] != json!([])
}

/// The number of items of a request in the table, without the request itself.
pub fn items(souk: &Souk, request: &Value) -> usize {
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    let bands = request["bands"].as_array().unwrap().iter();
    let bands: usize =
        bands.map(|band| souk.items_in(&keys::band_partition(id(&band["bandId"]).parse().unwrap()))).sum();
    let venue = souk.items_in(&format!("VENUE#{}", id(&request["venue"]["venueId"])));
    bands + venue + souk.items_in(&format!("CONCERT#{}", id(&request["concertId"]))) - 1
}

/// Runs a request under fault rules while a reader polls all paths. Returns the answer, the request, and whether the
/// reader saw a partial result.
fn under(souk: &Souk, user: &User, rules: &Value) -> (Answer, Value, bool) {
    let name = unique();
    souk.put_faults(rules);
    let (done, half) = (AtomicBool::new(false), AtomicBool::new(false));
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let Some(request) = souk.request_of(user, &name) else { continue };
                let windows = windows(&request);
                let look = || windows.iter().map(|window| is_seen(souk, window)).collect::<Vec<_>>();
                let seen = look();
                // Everything appears at once, maybe between two requests of a round: a partial result counts only
                // if a second round sees the same.
                if seen.contains(&true) && seen.contains(&false) && seen == look() {
                    half.store(true, Ordering::Relaxed);
                }
            }
        });
        let answer = ask(souk, user, &name);
        done.store(true, Ordering::Relaxed);
        answer
    });
    souk.put_faults(&json!([]));
    (answer, souk.request_of(user, &name).expect("the request was recorded"), half.into_inner())
}

#[test]
fn a_concert_is_created_whole_or_not_at_all_after_faults_of_steps() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    souk.put_delays(&json!({"retry": 0.01}));
    let user = souk.user();
    for step in STEPS {
        for fault in FAULTS {
            let StepFault { kind, when, is_retried, .. } = fault;
            let (answer, request, half) = under(souk, &user, &rules(step, fault, &[UNDO]));
            let (what, concert) = (format!("{step} {kind} {when}"), request["concertId"].as_str().unwrap());
            // A publication that was written is not undone, even if its answer is lost.
            let succeeds = is_retried || step == "concert-publish" && when == "after";
            assert!(!half, "{what}: a reader saw a half");
            let seen: Vec<bool> = windows(&request).iter().map(|window| is_seen(souk, window)).collect();
            let states = souk.entered(MACHINE, concert);
            assert_eq!(states.contains(&"UndoConcert".to_owned()), !is_retried, "{what}: {states:?}");
            if succeeds {
                assert_eq!(answer.status, 201, "{what}: {answer:?}");
                assert_eq!(seen, [true; 5], "{what}");
            } else {
                answer.problem(422, "concert-not-created");
                assert!(answer.body["detail"].as_str().unwrap().contains(step), "{what}: {answer:?}");
                assert_eq!((seen, items(souk, &request)), (vec![false; 5], 0), "{what}");
                let shown = souk.get(&format!("/concerts/{concert}"));
                assert_eq!(
                    (&shown.body["status"], &shown.body["reason"]["step"]),
                    (&json!("failed"), &json!(step)),
                    "{what}"
                );
            }
        }
    }
}

/// A publication that failed, or whose answer was lost, with each fault of the undo itself: the undo is retried until
/// it succeeds.
#[test]
fn a_concert_is_undone_whatever_fails_in_its_undo() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    souk.put_delays(&json!({"retry": 0.01, "wait": 0}));
    let user = souk.user();
    for (when, is_published) in [("before", false), ("after", true)] {
        for fault in FAULTS {
            let StepFault { kind, when: strikes, is_retried, .. } = fault;
            let what = format!("a publication that fails {when}, {UNDO} {kind} {strikes}");
            let mut faults = rules(UNDO, fault, &[]);
            let fails = json!({"function": "concert-publish", "kind": "fail", "when": when, "times": 1});
            faults.as_array_mut().unwrap().push(fails);
            let (answer, request, half) = under(souk, &user, &faults);
            assert!(!half, "{what}: a reader saw a half");
            assert_eq!(answer.status, if is_published { 201 } else { 422 }, "{what}: {answer:?}");
            let concert = request["concertId"].as_str().unwrap();
            let end = if is_published { "ConcertCreated" } else { "ConcertNotCreated" };
            eventually("the undo has ended", || souk.entered(MACHINE, concert).last().unwrap() == end);
            let seen: Vec<bool> = windows(&request).iter().map(|window| is_seen(souk, window)).collect();
            assert_eq!(seen, [is_published; 5], "{what}");
            assert_eq!(items(souk, &request) == 0, !is_published, "{what}");
            let states = souk.entered(MACHINE, concert);
            assert_eq!(
                states.contains(&"RestBeforeUndoConcert".to_owned()),
                !is_retried,
                "{what}: {states:?}"
            );
        }
    }
}

/// The publication was written and its answer was lost. Before the undo starts, another user creates a concert at the
/// new venue with a new band. The undo deletes nothing.
#[test]
fn an_undo_keeps_published_items_and_items_that_another_concert_uses() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let (user, rival) = (souk.user(), souk.user());
    let name = unique();
    souk.put_faults(&json!([
        {"function": "concert-publish", "kind": "fail", "when": "after", "times": 1},
        {"function": UNDO, "kind": "hold", "times": 1},
    ]));
    let ours = ask(souk, &user, &name);
    assert_eq!(ours.status, 201, "{ours:?}");
    let request = souk.request_of(&user, &name).unwrap();
    let (band, venue) = (&request["bands"][0]["bandId"], &request["venue"]["venueId"]);
    let body = concert(&json!([{"bandId": band}]), &json!({"venueId": venue}));
    let call =
        rival.call("POST", "/concerts").header("idempotency-key", &unique()).header("prefer", "wait=10");
    let theirs = souk.send(call.json(&body));
    assert_eq!(theirs.status, 201, "{theirs:?}");
    souk.put_faults(&json!([]));
    let concert = request["concertId"].as_str().unwrap();
    eventually("the undo finds that there is nothing to undo", || {
        souk.entered(MACHINE, concert).last().is_some_and(|state| state == "ConcertCreated")
    });
    assert_eq!(windows(&request).iter().map(|window| is_seen(souk, window)).collect::<Vec<_>>(), [true; 5]);
    let found = souk.get(&format!("/concerts?bandIds={}", band.as_str().unwrap()));
    assert_eq!(found.body["items"], json!([ours.body, theirs.body]));
    assert_eq!(ask(souk, &user, &name).body, ours.body);
}

/// Until publication, the bands and the venue of a request do not exist for other users.
#[test]
fn a_rival_cannot_use_what_is_not_published() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let (user, rival) = (souk.user(), souk.user());
    let name = unique();
    souk.put_faults(&json!([{"function": "concert-publish", "kind": "hold", "times": 1}]));
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(souk, &user, &name));
        eventually("the request is recorded", || souk.request_of(&user, &name).is_some());
        let request = souk.request_of(&user, &name).unwrap();
        let concert_id = request["concertId"].as_str().unwrap();
        eventually("all but the publication is done", || {
            souk.entered(MACHINE, concert_id).contains(&"PublishConcert".to_owned())
        });
        let body = concert(
            &json!([{"bandId": request["bands"][0]["bandId"]}]),
            &json!({"venueId": request["venue"]["venueId"]}),
        );
        let call = rival.call("POST", "/concerts").header("idempotency-key", &unique());
        let refused = souk.send(call.json(&body));
        assert_eq!(refused.problem(400, "validation").faults(), ["/bands/0/bandId", "/venue/venueId"]);
        assert_eq!(souk.get(&format!("/concerts/{concert_id}")).body["status"], "pending");
        assert!(!windows(&request).iter().any(|window| is_seen(souk, window)));
        souk.put_faults(&json!([]));
        assert_eq!(asked.join().unwrap().status, 201);
    });
}

/// The execution stands still at each step, as if it had died. What it does after the sweep has no effect.
#[test]
fn the_sweep_undoes_requests_that_nobody_works_on() {
    let own = OwnInstance::lease(&["SweepAfterSeconds=0"]);
    let souk = &own.souk;
    let user = souk.user();
    for step in STEPS {
        let name = unique();
        souk.put_faults(&json!([{"function": step, "kind": "hold", "id": "held"}]));
        let (answer, request) = thread::scope(|scope| {
            let asking = scope.spawn(|| ask(souk, &user, &name));
            eventually("the step is held", || souk.held("held") > 0);
            let request = souk.request_of(&user, &name).unwrap();
            let swept = souk.invoke("concert-sweep", &json!({}));
            assert_eq!(swept, json!({"found": 1, "settled": 0, "failed": 0, "stuck": 0}), "{step}");
            assert_eq!(items(souk, &request), 0, "{step}");
            souk.put_faults(&json!([]));
            (asking.join().unwrap(), request)
        });
        answer.problem(422, "concert-not-created");
        eventually("the late step has ended", || !own.souk.is_busy(step));
        let entry = keys::unfinished(request["concertId"].as_str().unwrap().parse().unwrap());
        eventually("the request is forgotten", || {
            souk.invoke("concert-sweep", &json!({}));
            souk.item(&entry).is_null()
        });
        eventually("nothing of the late steps is left", || items(souk, &request) == 0);
    }
}
