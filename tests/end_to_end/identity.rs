//! `/users`, and `POST /sessions`.

use crate::souk::{Call, PASSWORD, SOUK, at_once, new_email, registration, unique};
use serde_json::{Value, json};

#[test]
fn register_log_in_read_the_profile_log_out() {
    let user = SOUK.user();
    let profile = SOUK.send(user.call("GET", "/users/me"));
    assert_eq!((profile.status, profile.body["email"].as_str()), (200, Some(user.email.as_str())));
    assert_eq!(profile.body["userId"], user.id);
    assert_eq!(SOUK.send(user.call("DELETE", "/sessions/current")).status, 204);
    assert_eq!(SOUK.send(user.call("GET", "/users/me")).status, 403);
}

#[test]
fn an_account_is_never_overwritten() {
    let user = SOUK.user();
    let again =
        json!({"email": user.email.to_uppercase(), "password": "another password", "displayName": "Eve"});
    let answer = SOUK.send(Call::new("POST", "/users").json(&again));
    assert_eq!((answer.status, answer.header("location")), (201, "/users/me"));
    assert_ne!(answer.body["userId"], user.id);
    let profile = SOUK.send(user.call("GET", "/users/me"));
    assert_eq!(profile.body["displayName"], "Ada");
    assert_eq!(SOUK.log_in(&user.email).status, 201);
    let eve = json!({"email": user.email, "password": "another password"});
    SOUK.send(Call::new("POST", "/sessions").json(&eve)).problem(401, "unauthenticated");
}

#[test]
fn fifty_registrations_of_one_address_at_once_make_one_account() {
    let email = new_email();
    let answers = at_once(50, |number| {
        let mut registration = registration(&email);
        registration["displayName"] = format!("Ada {number}").into();
        if number % 2 == 0 {
            registration["email"] = email.to_uppercase().into();
        }
        SOUK.send(Call::new("POST", "/users").json(&registration))
    });
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let session = SOUK.log_in(&email);
    let token = format!("Bearer {}", session.body["accessToken"].as_str().unwrap());
    let profile = SOUK.send(Call::new("GET", "/users/me").header("authorization", &token));
    assert_eq!(answers.iter().filter(|answer| answer.body == profile.body).count(), 1);
}

#[test]
fn an_unknown_address_and_a_wrong_password_look_the_same() {
    let user = SOUK.user();
    let attempt = |email: &str| {
        let mut answer =
            SOUK.send(Call::new("POST", "/sessions").json(&json!({"email": email, "password": unique()})));
        answer.problem(401, "unauthenticated");
        answer.body["instance"] = json!(null);
        answer.body
    };
    assert_eq!(attempt(&user.email), attempt(&new_email()));
}

/// Keyboards differ in whether they compose letters and accents.
#[test]
fn a_password_may_be_composed_at_one_time_and_decomposed_at_another() {
    let (composed, decomposed) = ("cr\u{e8}me br\u{fb}l\u{e9}e", "cre\u{300}me bru\u{302}le\u{301}e");
    for (first, second) in [(composed, decomposed), (decomposed, composed)] {
        let email = new_email();
        let mut account = registration(&email);
        account["password"] = first.into();
        assert_eq!(SOUK.send(Call::new("POST", "/users").json(&account)).status, 201);
        for password in [first, second] {
            let credentials = json!({"email": email, "password": password});
            assert_eq!(SOUK.send(Call::new("POST", "/sessions").json(&credentials)).status, 201);
        }
    }
}

#[test]
fn passwords_that_are_easy_to_guess_are_refused() {
    let email = new_email();
    let local = email.split('@').next().unwrap().to_owned();
    for password in [
        "Password1234",
        "123456789012",
        "qwertyuiop123",
        "letmeinletmein",
        "aaaaaaaaaaaaaaaa",
        &email.to_uppercase(),
        &local,
        "               ",
        "\u{200b}\u{2060}\u{feff}\u{200b}\u{2060}\u{feff}\u{200b}\u{2060}\u{feff}\u{200b}\u{2060}\u{feff}",
    ] {
        let mut account = registration(&email);
        account["password"] = password.into();
        let answer = SOUK.send(Call::new("POST", "/users").json(&account));
        assert_eq!(answer.problem(400, "validation").faults(), ["/password"], "{password:?}");
        assert!(!answer.text.contains(password), "{}", answer.text);
    }
    assert_eq!(SOUK.send(Call::new("POST", "/users").json(&registration(&email))).status, 201);
}

#[test]
fn display_names_are_visible_and_leave_the_text_around_them_alone() {
    for name in ["\u{200b}", "\u{2060}\u{feff}", "Ada\u{202e}", "\u{2067}Ada\u{2069}"] {
        let mut account = registration(&new_email());
        account["displayName"] = name.into();
        let answer = SOUK.send(Call::new("POST", "/users").json(&account));
        assert_eq!(answer.problem(400, "validation").faults()[0], "/displayName", "{name:?}");
    }
}

/// A hash that was made without a pepper, before there was one.
const OLD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Dafup7uxQZaL0EmBlpexNA$X/33EIEFQ2X5JaHx4Penpblh2Z/xPMI434QdApYRXzQ";

#[test]
fn an_old_hash_is_good_for_a_log_in_which_renews_it() {
    let user = SOUK.user();
    let key = table::keys::credential(&domain::user::Email::from_value(user.email.clone().into()).unwrap());
    let mut item = SOUK.item(&key);
    let with_pepper = |item: &Value| item["passwordHash"]["S"].as_str().unwrap().contains(",keyid=MQ$");
    assert!(with_pepper(&item), "{item}");
    item["passwordHash"] = json!({"S": OLD_HASH});
    let put = json!({"TableName": SOUK.output("TableName"), "Item": item});
    SOUK.aws("dynamodb", "DynamoDB_20120810.PutItem", &put);
    assert_eq!(SOUK.log_in(&user.email).status, 201);
    assert!(with_pepper(&SOUK.item(&key)), "{}", SOUK.item(&key));
    assert_eq!(SOUK.log_in(&user.email).status, 201);
}

#[test]
fn every_fault_of_a_registration_is_named_and_nothing_is_kept() {
    let email = new_email();
    let bad = json!({"email": email, "password": "short", "displayName": " ", "role": "admin"});
    let answer = SOUK.send(Call::new("POST", "/users").json(&bad));
    let faults = answer.problem(400, "validation").faults();
    assert_eq!(faults, ["/displayName", "/password", "/role"]);
    assert!(!answer.text.contains("short"), "{}", answer.text);
    let attempt = json!({"email": email, "password": PASSWORD});
    SOUK.send(Call::new("POST", "/sessions").json(&attempt)).problem(401, "unauthenticated");
}
