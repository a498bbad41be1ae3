//! `/sessions`: how long sessions last, and what ends them.

use crate::souk::{Answer, Call, SOUK, User, at_once};
use serde_json::json;
use std::collections::HashSet;

fn refresh(token: &str) -> Answer {
    SOUK.send(Call::new("POST", "/sessions/refresh").json(&json!({"refreshToken": token})))
}

/// The tokens of a log-in or a refresh.
struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.text);
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        Self { access: text("accessToken"), refresh: text("refreshToken") }
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, path).header("authorization", &format!("Bearer {}", self.access))
    }

    fn status(&self) -> u16 {
        SOUK.send(self.call("GET", "/users/me")).status
    }
}

fn of_user(user: &User) -> Tokens {
    Tokens { access: user.token.clone(), refresh: user.refresh.clone() }
}

#[test]
fn a_log_out_ends_the_tokens_of_its_session_at_once_and_no_others() {
    let user = SOUK.user();
    let (first, second) = (of_user(&user), Tokens::of(&SOUK.log_in(&user.email)));
    assert_eq!((first.status(), second.status()), (200, 200));
    assert_eq!(SOUK.send(first.call("DELETE", "/sessions/current")).status, 204);
    // The next request, and without a pause.
    assert_eq!(first.status(), 403);
    refresh(&first.refresh).problem(401, "unauthenticated");
    assert_eq!(second.status(), 200);
    assert_eq!(Tokens::of(&refresh(&second.refresh)).status(), 200);
}

#[test]
fn a_refresh_token_that_was_exchanged_before_ends_its_session_and_no_other() {
    let user = SOUK.user();
    let other = Tokens::of(&SOUK.log_in(&user.email));
    let second = Tokens::of(&refresh(&user.refresh));
    let third = Tokens::of(&refresh(&second.refresh));
    assert_eq!(third.status(), 200);
    // Made up, for the session of the user: it does nothing.
    let made_up = format!("{}{}", &third.refresh[..43], "A".repeat(third.refresh.len() - 43));
    refresh(&made_up).problem(401, "unauthenticated");
    assert_eq!(third.status(), 200);
    // The first token may have been stolen: the newest tokens fail too.
    refresh(&user.refresh).problem(401, "unauthenticated");
    assert_eq!((of_user(&user).status(), third.status()), (403, 403));
    refresh(&third.refresh).problem(401, "unauthenticated");
    assert_eq!(Tokens::of(&refresh(&other.refresh)).status(), 200);
}

/// The tabs of a browser share a refresh token.
#[test]
fn ten_refreshes_at_once_get_one_successor_and_the_session_goes_on() {
    let user = SOUK.user();
    let answers = at_once(10, |_| Tokens::of(&refresh(&user.refresh)));
    let successors: HashSet<&str> = answers.iter().map(|tokens| tokens.refresh.as_str()).collect();
    assert_eq!(successors.len(), 1);
    assert!(answers.iter().all(|tokens| tokens.status() == 200));
    let again = Tokens::of(&refresh(&user.refresh));
    assert_eq!(again.refresh, answers[0].refresh);
    assert_eq!(Tokens::of(&refresh(&again.refresh)).status(), 200);
}
