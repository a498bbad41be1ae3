//! Passwords that are forgotten, reset and changed, and the sessions that end with them. Profiles.

use crate::account_support::{ADDRESS, PASSWORD, Souk, document};
use domain::{
    Error,
    id::SessionId,
    user::{FIRST_VERSION, User},
};
use futures::future::join_all;
use table::{Writer, keys};
use tests::{
    Fault, World,
    samples::{account, later, now},
    units::describe,
};
use web::Response;

const NEW: &str = "staple correct horse";

/// A log-in's session.
fn session_of(response: &Response) -> SessionId {
    domain::session::RefreshToken::decode(document(response)["refreshToken"].as_str().unwrap())
        .unwrap()
        .session_id
}

/// The token of a mail that was asked for.
async fn token(souk: &Souk) -> String {
    souk.ask_for_reset(ADDRESS).await;
    souk.mails().await[0].token("password-reset")
}

#[tokio::test]
async fn a_request_for_a_reset_does_not_show_whether_there_is_an_account() {
    let souk = Souk::with_account().await;
    souk.mails().await;
    let mut seen = Vec::new();
    for address in [ADDRESS, "nobody@example.com"] {
        let answer = souk.ask_for_reset(address).await;
        let sent: Vec<String> = souk.world.wire.take_sent().iter().map(describe).collect();
        seen.push((answer.status, answer.headers, sent));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!((seen[0].0.as_u16(), &seen[0].2[2..]), (202, &["SendMessage".to_owned()][..]));
}

#[tokio::test]
async fn a_reset_sets_the_password_ends_all_sessions_and_tells_the_owner() {
    let souk = Souk::with_account().await;
    for _ in 0..3 {
        souk.log_in(PASSWORD).await.unwrap();
    }
    let token = token(&souk).await;
    assert_eq!(
        (souk.open_sessions(), souk.reset(&token, NEW, now()).await.unwrap().status.as_u16()),
        (3, 204)
    );
    assert_eq!(souk.open_sessions(), 0);
    let mails = souk.mails().await;
    assert_eq!(
        (mails.len(), mails[0].to.as_str(), mails[0].subject.as_str()),
        (1, ADDRESS, "Your password was changed")
    );
    assert!(souk.log_in(PASSWORD).await.is_err());
    assert_eq!(souk.log_in(NEW).await.unwrap().status, 201);
    assert!(souk.reset(&token, "another new password", now()).await.is_err(), "it is good once");
    assert_eq!(souk.log_in(NEW).await.unwrap().status, 201);
}

/// Somebody who has read the owner's mails must not undo the change with a token of before.
#[tokio::test]
async fn a_new_password_voids_the_tokens_that_reset_the_old_one() {
    let souk = Souk::with_account().await;
    let own = session_of(&souk.log_in(PASSWORD).await.unwrap());
    let [first, second, third] = [token(&souk).await, token(&souk).await, token(&souk).await];
    assert_eq!(souk.reset(&first, NEW, now()).await.unwrap().status, 204);
    assert!(souk.reset(&second, "another new password", now()).await.is_err(), "after a reset");
    souk.mails().await;
    let fourth = token(&souk).await;
    assert_eq!(souk.change(own, NEW, PASSWORD).await.unwrap().status, 204);
    for token in [third, fourth] {
        assert!(souk.reset(&token, "another new password", now()).await.is_err(), "after a change");
    }
    assert_eq!(souk.log_in(PASSWORD).await.unwrap().status, 201);
}

/// A user who lost the mail of the registration can verify the address by a reset.
#[tokio::test]
async fn a_reset_verifies_the_address() {
    let souk = Souk::new();
    souk.register(ADDRESS, PASSWORD).await;
    souk.mails().await;
    let token = token(&souk).await;
    souk.reset(&token, NEW, later(60)).await.unwrap();
    assert_eq!(souk.credential().await.verified_at, Some(later(60)));
    assert_eq!(souk.log_in(NEW).await.unwrap().status, 201);
}

#[tokio::test]
async fn one_of_two_resets_at_once_succeeds() {
    let souk = Souk::with_account().await;
    let token = token(&souk).await;
    let passwords = [NEW, "another new password"];
    let answers = join_all(passwords.map(|password| souk.reset(&token, password, now()))).await;
    let won: Vec<usize> = (0..2).filter(|number| answers[*number].is_ok()).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(souk.log_in(passwords[won[0]]).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_token_that_is_not_good_hashes_and_changes_nothing() {
    let souk = Souk::with_account().await;
    let token = token(&souk).await;
    let before = souk.credential().await;
    souk.world.wire.take_sent();
    assert!(souk.reset(&token, NEW, later(30 * 60)).await.is_err());
    let sent: Vec<String> = souk.world.wire.take_sent().iter().map(describe).collect();
    assert_eq!(sent.last().map(String::as_str), Some("GetItem RESET#"));
    assert!(souk.reset("x", NEW, now()).await.is_err());
    let guessable = souk.reset(&token, "ada@example.com", now()).await.unwrap_err();
    assert_eq!(guessable.kind, web::problem::Kind::Validation);
    assert_eq!(souk.credential().await, before);
    assert_eq!(souk.reset(&token, NEW, now()).await.unwrap().status, 204, "a fault does not spend it");
}

/// The function may die after it has set the password.
#[tokio::test]
async fn a_repeated_reset_ends_the_sessions_that_the_first_one_left() {
    let souk = Souk::with_account().await;
    souk.log_in(PASSWORD).await.unwrap();
    let token = token(&souk).await;
    souk.world.wire.always("Query", Fault::Unreachable);
    assert!(souk.reset(&token, NEW, now()).await.is_err());
    assert_eq!(souk.open_sessions(), 1);
    souk.world.wire.heal();
    assert!(souk.reset(&token, NEW, now()).await.is_err());
    assert_eq!(souk.open_sessions(), 0);
}

#[tokio::test]
async fn a_change_needs_the_present_password_and_ends_all_other_sessions() {
    let souk = Souk::with_account().await;
    let own = session_of(&souk.log_in(PASSWORD).await.unwrap());
    souk.log_in(PASSWORD).await.unwrap();
    souk.mails().await;
    let wrong = souk.change(own, "a wrong password", NEW).await.unwrap_err();
    assert_eq!((wrong.kind, souk.open_sessions()), (web::problem::Kind::Forbidden, 2));
    assert_eq!(
        souk.change(own, PASSWORD, "ada@example.com").await.unwrap_err().kind,
        web::problem::Kind::Validation
    );
    assert_eq!(souk.change(own, PASSWORD, NEW).await.unwrap().status, 204);
    let user = souk.credential().await.user_id;
    assert!(souk.world.item(&keys::session_of(user, own))["secretHash"].is_object());
    assert_eq!(souk.open_sessions(), 1);
    assert_eq!(souk.mails().await[0].subject, "Your password was changed");
    assert!(souk.log_in(PASSWORD).await.is_err());
    assert_eq!(souk.log_in(NEW).await.unwrap().status, 201);
}

/// The answer was lost, or the function died before it ended the sessions.
#[tokio::test]
async fn a_change_may_be_repeated() {
    let souk = Souk::with_account().await;
    let own = session_of(&souk.log_in(PASSWORD).await.unwrap());
    souk.log_in(PASSWORD).await.unwrap();
    souk.world.wire.always("Query", Fault::Unreachable);
    assert!(souk.change(own, PASSWORD, NEW).await.is_err());
    souk.world.wire.heal();
    assert_eq!(souk.open_sessions(), 2);
    assert_eq!(souk.change(own, PASSWORD, NEW).await.unwrap().status, 204);
    assert_eq!(souk.open_sessions(), 1);
}

#[tokio::test]
async fn a_password_is_replaced_unless_it_was_replaced_meanwhile() {
    let world = World::new();
    let (user, address, credential) = account(1, ADDRESS);
    world.table.register(&user, &address, &credential).await.unwrap();
    let (id, from) = (user.user_id, credential.password_hash.as_str());
    let change = world.table.change_password(id, &address, from, "new");
    world.measure("change_password", "", change).await.unwrap();
    let again = world.table.change_password(id, &address, from, "other");
    let refused = world.measure("change_password", "replaced meanwhile", again).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    world.table.change_password(id, &address, "new", "newest").await.unwrap();
    let stored = world.table.credential(&address).await.unwrap().unwrap();
    assert_eq!(stored.password_hash, "newest");
}

#[tokio::test]
async fn a_profile_is_changed_at_the_version_that_was_seen() {
    let souk = Souk::with_account().await;
    assert_eq!(souk.rename("\"1\"", "Bob").await.unwrap_err().kind, web::problem::Kind::PreconditionFailed);
    let answer = souk.rename("\"2\"", "Bob").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["etag"].to_str().unwrap()), (200, "\"3\""));
    assert_eq!(souk.rename("*", "Cy").await.unwrap().headers["etag"].to_str().unwrap(), "\"4\"");
    let user = souk.world.table.user(souk.credential().await.user_id).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.verified_at.is_some()), ("Cy", true));
}

#[tokio::test]
async fn a_name_is_stored_once_at_its_version() {
    let world = World::new();
    let (user, address, credential) = account(1, ADDRESS);
    world.table.register(&user, &address, &credential).await.unwrap();
    let key = keys::profile(user.user_id);
    // Users that registered before there were versions have none.
    let mut item = world.item(&key);
    item.as_object_mut().unwrap().remove("version");
    world.put(&key, &item);
    let next = |name: &str, version| User { display_name: name.to_owned(), version, ..user.clone() };
    let bob = next("Bob", FIRST_VERSION + 1);
    world.measure("rename_user", "", world.table.rename_user(&bob, Writer([1; 16]))).await.unwrap();
    let late = next("Cy", FIRST_VERSION + 1);
    let stale = world.measure("rename_user", "stale", world.table.rename_user(&late, Writer([2; 16]))).await;
    assert_eq!(stale, Err(Error::Stale { current: 2 }));
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    world.table.rename_user(&next("Cy", 3), Writer([3; 16])).await.unwrap();
    assert_eq!(world.table.user(user.user_id).await, Ok(next("Cy", 3)));
    let nobody = User { user_id: tests::samples::user_id(9), ..bob };
    let gone = world.table.rename_user(&nobody, Writer([4; 16])).await;
    assert_eq!(gone, Err(Error::NotFound { what: "user" }));
}
