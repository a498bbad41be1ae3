//! The life of an account by its functions: registration, verification, and the mails that they lead to.

use crate::account_support::{ADDRESS, PASSWORD, Souk, document, mail_send};
use domain::mail::QueuedMail;
use serde_json::{Value, json};
use table::keys;
use tests::{
    Fault,
    samples::{account, later, now},
    units::describe,
};
use web::Response;

/// The answer without what is random in every answer.
fn shape(response: &Response) -> (http::StatusCode, Vec<(String, String)>, Value) {
    let headers = response.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    let mut body = document(response);
    assert_eq!(body["userId"].take().as_str().map(str::len), Some(36));
    (response.status, headers, body)
}

#[tokio::test]
async fn a_registration_does_not_show_whether_the_address_is_taken() {
    let souk = Souk::new();
    let mut seen = Vec::new();
    for password in ["first battery staple", "second battery staple"] {
        let answer = souk.register(ADDRESS, password).await;
        let mut sent: Vec<String> = souk.world.wire.take_sent().iter().map(describe).collect();
        // A new instance reads the peppers.
        sent.retain(|request| request != "GetSecretValue");
        seen.push((shape(&answer), sent));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].1.last().map(String::as_str), Some("SendMessage"));
}

#[tokio::test]
async fn the_owner_of_a_taken_address_gets_a_mail_and_nothing_else_changes() {
    let souk = Souk::new();
    souk.register(ADDRESS, PASSWORD).await;
    souk.mails().await;
    let before = souk.credential().await;
    souk.register("ADA@example.com", "another password").await;
    let [mail] = &souk.mails().await[..] else { panic!() };
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), (ADDRESS, "You have an account already"));
    assert_eq!(souk.credential().await, before);
}

/// The token proves that the owner of the address opened the account: the log-in works after it, and the answer before
/// it is that of a wrong password.
#[tokio::test]
async fn an_address_is_verified_by_the_token_of_the_mail() {
    let souk = Souk::new();
    souk.register(ADDRESS, PASSWORD).await;
    let [mail] = &souk.mails().await[..] else { panic!() };
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), (ADDRESS, "Confirm your e-mail address"));

    souk.log_in(PASSWORD).await.unwrap_err();
    souk.world.wire.take_sent();
    let unverified = souk.log_in(PASSWORD).await.unwrap_err();
    let before: Vec<String> = souk.world.wire.take_sent().iter().map(describe).collect();
    let wrong = souk.log_in("a wrong password").await.unwrap_err();
    let after: Vec<String> = souk.world.wire.take_sent().iter().map(describe).collect();
    assert_eq!(format!("{unverified:?}"), format!("{wrong:?}"));
    assert_eq!(before, after);

    let token = mail.token("verification");
    assert_eq!(souk.verify(&token, later(60)).await.unwrap().status, 204);
    assert_eq!(souk.log_in(PASSWORD).await.unwrap().status, 201);
    assert!(souk.verify(&token, later(61)).await.is_err(), "it is good once");
}

#[tokio::test]
async fn every_fault_of_a_token_gets_the_same_answer() {
    let souk = Souk::new();
    souk.register(ADDRESS, PASSWORD).await;
    let token = souk.mails().await[0].token("verification");
    let other = if token.ends_with('A') { "Q" } else { "A" };
    let forged = format!("{}{other}", &token[..63]);
    let nobodys = format!("{}{}", "A".repeat(22), &token[22..]);
    let mut problems = Vec::new();
    for (token, at) in
        [(token.as_str(), later(24 * 60 * 60)), (&forged, now()), (&nobodys, now()), ("x", now())]
    {
        problems.push(format!("{:?}", souk.verify(token, at).await.unwrap_err()));
    }
    assert!(problems.iter().all(|problem| *problem == problems[0]), "{problems:?}");
    assert_eq!(souk.credential().await.verified_at, None);
}

#[tokio::test]
async fn a_message_that_comes_twice_sends_a_token_that_is_as_good() {
    let souk = Souk::new();
    let id = user_id_of(&souk.register(ADDRESS, PASSWORD).await);
    souk.world.wire.take_sent();
    let mail: QueuedMail =
        serde_json::from_value(json!({"to": {"account": ADDRESS}, "template": "registered", "userId": id}))
            .unwrap();
    for _ in 0..2 {
        mail_send::send(&souk.mailer, mail.clone()).await.unwrap();
    }
    let mails = souk.mails().await;
    let [first, second] = &mails[..] else { panic!() };
    assert_ne!(first.token("verification"), second.token("verification"));
    assert_eq!(souk.verify(&first.token("verification"), now()).await.unwrap().status, 204);
    // After that, the message asks for nothing.
    mail_send::send(&souk.mailer, mail).await.unwrap();
    assert_eq!(souk.mails().await.len(), 0);
}

fn user_id_of(response: &Response) -> Value {
    document(response)["userId"].take()
}

#[tokio::test]
async fn nobody_else_than_the_owner_of_an_account_gets_mail() {
    let souk = Souk::new();
    for to in [json!({"account": "nobody@example.com"}), json!({"user": tests::samples::user_id(9)})] {
        let mail = serde_json::from_value(json!({"to": to, "template": "password-forgotten"})).unwrap();
        mail_send::send(&souk.mailer, mail).await.unwrap();
    }
    assert_eq!(souk.mails().await.len(), 0);
    assert_eq!(souk.world.items(), [] as [Value; 0]);
}

/// The queue delivers the message again. The error must not contain the address: SES names it in some messages.
#[tokio::test]
async fn a_mail_that_ses_does_not_take_fails_without_naming_anybody() {
    let souk = Souk::new();
    let (user, address, credential) = account(1, ADDRESS);
    souk.world.table.register(&user, &address, &credential).await.unwrap();
    let mail: QueuedMail =
        serde_json::from_value(json!({"to": {"account": ADDRESS}, "template": "password-forgotten"}))
            .unwrap();
    for fault in [Fault::Refused("MessageRejected: ada@example.com"), Fault::Failing, Fault::Unreachable] {
        souk.world.wire.next("SendEmail", [fault]);
        let error = mail_send::send(&souk.mailer, mail.clone()).await.unwrap_err();
        assert!(matches!(error, domain::Error::Unavailable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("ada@"), "{error:?}");
    }
}

#[tokio::test]
async fn tokens_are_stored_in_partitions_of_their_own_and_nowhere_in_clear() {
    let souk = Souk::new();
    souk.register(ADDRESS, PASSWORD).await;
    let queued = souk.world.wire.take_sent();
    let message = queued.iter().find(|sent| sent.operation == "SendMessage").unwrap();
    let mail = serde_json::from_str(message.body["MessageBody"].as_str().unwrap()).unwrap();
    mail_send::send(&souk.mailer, mail).await.unwrap();
    let token = souk.mails().await[0].token("verification");
    assert!(!format!("{queued:?}").contains(&token));
    let user = souk.credential().await.user_id;
    let item = souk.world.item(&keys::mail_tokens(domain::mail_token::TokenUse::Verification, user));
    assert!(item["newest"]["M"]["hash"]["B"].is_string(), "{item}");
    assert!(!format!("{:?}", souk.world.items()).contains(&token));
}
