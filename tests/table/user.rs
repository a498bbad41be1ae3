//! Users and their credentials.

use domain::Error;
use serde_json::{Value, json};
use table::{Credential, keys};
use tests::{
    Fault, World,
    samples::{account, email, user_id},
};

#[tokio::test]
async fn a_registration_stores_a_credential_and_a_profile() {
    let world = World::new();
    let (user, email, credential) = account(1, "Ada@Example.com");
    world.table.register(&user, &email, &credential).await.unwrap();

    let id = "019aa251-4760-7000-8000-000000000001";
    assert_eq!(
        world.item(&keys::credential(&email)),
        json!({
            "pk": {"S": "EMAIL#ada@example.com"}, "sk": {"S": "CREDENTIAL"},
            "userId": {"S": id}, "passwordHash": {"S": "$argon2id$the hash of 1"},
        })
    );
    assert_eq!(
        world.item(&keys::profile(user.user_id)),
        json!({
            "pk": {"S": format!("USER#{id}")}, "sk": {"S": "PROFILE"},
            "userId": {"S": id}, "email": {"S": "Ada@Example.com"}, "displayName": {"S": "User 1"},
            "createdAt": {"S": "2025-11-20T17:30:27.040Z"}, "version": {"N": "1"},
        })
    );
    assert_eq!(world.items().len(), 2);
}

#[tokio::test]
async fn a_registered_user_is_readable() {
    let world = World::new();
    let (user, address, credential) = account(1, "ada@example.com");
    let register = world.table.register(&user, &address, &credential);
    assert_eq!(world.measure("register", "a new address", register).await, Ok(true));

    let read = world.measure("credential", "", world.table.credential(&address)).await;
    assert_eq!(read, Ok(Some(credential)));
    let read = world.measure("user", "", world.table.user(user.user_id)).await;
    assert_eq!(read, Ok(user));
}

#[tokio::test]
async fn the_credential_is_found_in_any_letter_case() {
    let world = World::new();
    let (user, address, credential) = account(1, "Ada@example.com");
    world.table.register(&user, &address, &credential).await.unwrap();
    assert_eq!(world.table.credential(&email("aDA@EXAMPLE.com")).await, Ok(Some(credential)));
}

#[tokio::test]
async fn an_unknown_user_is_not_found() {
    let world = World::new();
    assert_eq!(world.table.credential(&email("nobody@example.com")).await, Ok(None));
    let read = world.measure("user", "not there", world.table.user(user_id(1))).await;
    assert_eq!(read, Err(Error::NotFound { what: "user" }));
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_and_its_account_left_alone() {
    let world = World::new();
    let (user, address, credential) = account(1, "ada@example.com");
    world.table.register(&user, &address, &credential).await.unwrap();
    let before = world.items();

    let (other, address, another) = account(2, "ADA@example.com");
    let register = world.table.register(&other, &address, &another);
    assert_eq!(world.measure("register", "a taken address", register).await, Ok(false));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    let (user, address, credential) = account(1, "ada@example.com");
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.register(&user, &address, &credential).await, Ok(true));
    assert_eq!(world.wire.take_sent().len(), 2);
    assert_eq!(world.table.user(user.user_id).await, Ok(user));
}

#[tokio::test]
async fn a_hash_is_renewed_unless_it_was_replaced_meanwhile() {
    let world = World::new();
    let (user, address, credential) = account(1, "ada@example.com");
    world.table.register(&user, &address, &credential).await.unwrap();
    let stored = async || world.table.credential(&address).await.unwrap().unwrap();

    let renew = world.table.renew_password_hash(&address, &credential.password_hash, "renewed");
    world.measure("renew_password_hash", "", renew).await.unwrap();
    let renewed = Credential { password_hash: "renewed".to_owned(), ..credential.clone() };
    assert_eq!(stored().await, renewed);

    let renew = world.table.renew_password_hash(&address, &credential.password_hash, "another");
    world.measure("renew_password_hash", "replaced meanwhile", renew).await.unwrap();
    assert_eq!(stored().await, renewed);
}

#[tokio::test]
async fn an_account_without_a_credential_gets_none_by_renewal() {
    let world = World::new();
    world.table.renew_password_hash(&email("ada@example.com"), "old", "new").await.unwrap();
    assert_eq!(world.items(), [] as [Value; 0]);
}

/// The eventually consistent first read costs half as much and usually finds the profile; the second read always does.
#[tokio::test]
async fn a_profile_that_is_not_everywhere_yet_is_read_consistently() {
    let world = World::new();
    let (user, address, credential) = account(1, "ada@example.com");
    world.table.register(&user, &address, &credential).await.unwrap();
    let nothing_yet = Fault::Altered(std::sync::Arc::new(|answer: &mut Value| answer["Item"] = Value::Null));
    world.wire.next("GetItem", [nothing_yet]);
    world.wire.take_sent();
    assert_eq!(world.table.user(user.user_id).await, Ok(user));
    let consistent: Vec<_> =
        world.wire.take_sent().iter().map(|request| request.body["ConsistentRead"] == true).collect();
    assert_eq!(consistent, [false, true]);
}

/// A user can log in immediately after registration.
#[tokio::test]
async fn credentials_are_read_consistently() {
    let world = World::new();
    world.table.credential(&email("ada@example.com")).await.unwrap();
    assert_eq!(world.wire.take_sent()[0].body["ConsistentRead"], true);
}
