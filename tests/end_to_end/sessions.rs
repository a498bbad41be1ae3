//! `/sessions`: the list of sessions, how long they last, what ends them, and the cookie.

use crate::souk::{Answer, Call, PASSWORD, SOUK, User, at_once};
use serde_json::{Value, json};
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

#[test]
fn a_user_sees_their_sessions_and_ends_one_or_all() {
    let (user, other) = (SOUK.user(), SOUK.user());
    let credentials = json!({"email": user.email, "password": PASSWORD});
    let phone = Call::new("POST", "/sessions").json(&credentials).header("user-agent", "phone \u{9}  x");
    let (first, phone) = (of_user(&user), Tokens::of(&SOUK.send(phone)));
    let list = |tokens: &Tokens| {
        let answer = SOUK.send(tokens.call("GET", "/sessions"));
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
        answer.body["items"].as_array().unwrap().clone()
    };
    let listed = list(&first);
    let shown: Vec<[&Value; 2]> = listed.iter().map(|item| [&item["userAgent"], &item["current"]]).collect();
    assert_eq!(shown, [[&json!("phone x"), &json!(false)], [&listed[1]["userAgent"], &json!(true)]]);

    let path = format!("/sessions/{}", listed[0]["sessionId"].as_str().unwrap());
    SOUK.send(other.call("DELETE", &path)).problem(404, "not-found");
    assert_eq!(phone.status(), 200);
    for _ in 0..2 {
        assert_eq!(SOUK.send(first.call("DELETE", &path)).status, 204);
    }
    assert_eq!((phone.status(), list(&first).len()), (403, 1));
    SOUK.send(first.call("DELETE", "/sessions/x")).problem(404, "not-found");

    let second = Tokens::of(&SOUK.log_in(&user.email));
    assert_eq!(SOUK.send(second.call("DELETE", "/sessions")).status, 204);
    assert_eq!((first.status(), second.status()), (403, 403));
    refresh(&second.refresh).problem(401, "unauthenticated");
    assert_eq!(list(&Tokens::of(&SOUK.log_in(&user.email))).len(), 1);
    assert_eq!(of_user(&other).status(), 200);
}

/// The name and value of the cookie that an answer sets, as a browser sends it, and its attributes.
fn cookie(answer: &Answer) -> (String, String) {
    let (pair, attributes) = answer.header("set-cookie").split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

const KEPT: &str = "Max-Age=2592000; Path=/sessions; HttpOnly; Secure; SameSite=Strict";
const REMOVED: &str = "Max-Age=0; Path=/sessions; HttpOnly; Secure; SameSite=Strict";

#[test]
fn a_browser_keeps_the_refresh_token_in_a_cookie() {
    let user = SOUK.user();
    let credentials = json!({"email": user.email, "password": PASSWORD, "refreshTokenIn": "cookie"});
    let opened = SOUK.send(Call::new("POST", "/sessions").json(&credentials));
    assert_eq!((opened.status, &opened.body["refreshToken"]), (201, &Value::Null), "{}", opened.text);
    let (first, attributes) = cookie(&opened);
    assert!(first.starts_with("__Secure-souk_refresh=") && attributes == KEPT, "{first}; {attributes}");

    let by_cookie = |cookie: &str, site: &str| {
        let call = Call::new("POST", "/sessions/refresh").header("cookie", &format!("a=b; {cookie}"));
        SOUK.send(if site.is_empty() { call } else { call.header("sec-fetch-site", site) })
    };
    for site in ["cross-site", "same-site", "none", ""] {
        by_cookie(&first, site).problem(403, "forbidden");
    }
    by_cookie("c=d", "same-origin").problem(401, "unauthenticated");
    let refreshed = by_cookie(&first, "same-origin");
    assert_eq!((refreshed.status, &refreshed.body["refreshToken"]), (201, &Value::Null));
    let (second, attributes) = cookie(&refreshed);
    assert!(second != first && attributes == KEPT, "{second}; {attributes}");

    // What a script sends is not what the browser keeps: a token in the body stays in the body.
    let token = second.split_once('=').unwrap().1;
    let body = json!({"refreshToken": token});
    let other = SOUK.send(Call::new("POST", "/sessions/refresh").header("cookie", &second).json(&body));
    assert_eq!((other.status, other.header("set-cookie")), (201, ""));
    let third = format!("__Secure-souk_refresh={}", other.body["refreshToken"].as_str().unwrap());

    let access = refreshed.body["accessToken"].as_str().unwrap();
    let log_out =
        Call::new("DELETE", "/sessions/current").header("authorization", &format!("Bearer {access}"));
    let ended = SOUK.send(log_out.header("cookie", &third));
    assert_eq!(
        (ended.status, cookie(&ended)),
        (204, ("__Secure-souk_refresh=".to_owned(), REMOVED.to_owned()))
    );
    by_cookie(&third, "same-origin").problem(401, "unauthenticated");
}

#[test]
fn a_browser_that_logs_in_again_ends_its_former_session_and_no_other_users() {
    let (user, other) = (SOUK.user(), SOUK.user());
    let log_in = |user: &User, cookie: &str| {
        let credentials = json!({"email": user.email, "password": PASSWORD, "refreshTokenIn": "cookie"});
        let answer = SOUK.send(Call::new("POST", "/sessions").header("cookie", cookie).json(&credentials));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    };
    let status = |answer: &Answer| {
        let token = format!("Bearer {}", answer.body["accessToken"].as_str().unwrap());
        SOUK.send(Call::new("GET", "/users/me").header("authorization", &token)).status
    };
    let first = log_in(&user, "a=b");
    let second = log_in(&user, &cookie(&first).0);
    assert_eq!((status(&first), status(&second)), (403, 200));
    let third = log_in(&other, &cookie(&second).0);
    assert_eq!((status(&second), status(&third)), (200, 200));
}
