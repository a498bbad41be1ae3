//! What a seller publishes for clients of experiments.

use crate::experiment_support::{SELLER, experiment_id, patch, world_with};
use domain::{Error, client_key::ClientKey};
use serde_json::json;
use table::keys;
use tests::{
    World,
    samples::{later, now, user_id},
};

fn key(byte: u8) -> ClientKey {
    ClientKey::new(user_id(SELLER), [byte; 16], later(byte.into()))
}

#[tokio::test]
async fn a_seller_has_one_client_key_until_it_is_deleted() {
    let world = World::new();
    let owner = user_id(SELLER);
    let missing = world.table.client_key(owner).await;
    assert_eq!(missing, Err(Error::NotFound { what: "client key" }));
    let (first, second) = (key(1), key(2));
    let create = world.table.create_client_key(&first);
    assert_eq!(world.measure("create_client_key", "", create).await, Ok(first.clone()));
    let again = world.table.create_client_key(&second);
    assert_eq!(world.measure("create_client_key", "there already", again).await, Ok(first.clone()));
    let read = world.table.client_key(owner);
    assert_eq!(world.measure("client_key", "", read).await, Ok(first));
    let delete = world.table.delete_client_key(owner);
    assert_eq!(world.measure("delete_client_key", "", delete).await, Ok(()));
    assert_eq!(world.table.create_client_key(&second).await, Ok(second));
}

#[tokio::test]
async fn the_running_experiments_are_published_under_the_key_and_no_other() {
    let (world, _) = world_with(2).await;
    let (owner, first) = (user_id(SELLER), key(1));
    world.table.create_client_key(&first).await.unwrap();
    let published = async |secret: &str| world.table.published_experiments(owner, secret).await;
    assert_eq!(published(&first.secret).await, Ok((first.clone(), vec![])));
    patch(&world, 1, "*", &json!({"status": "running"}), 20).await.unwrap();
    world.measured();
    let read = world.table.published_experiments(owner, &first.secret);
    let (_, running) = world.measure("published_experiments", "one", read).await.unwrap();
    assert_eq!(running.iter().map(|it| it.experiment_id).collect::<Vec<_>>(), [experiment_id(1)]);
    let count = world.table.running_experiments(owner);
    assert_eq!(world.measure("running_experiments", "one", count).await, Ok(1));
    let other = published(&key(2).secret).await;
    assert_eq!(other, Err(Error::NotFound { what: "client key" }));
    patch(&world, 1, "*", &json!({"status": "stopped"}), 21).await.unwrap();
    assert_eq!(published(&first.secret).await, Ok((first.clone(), vec![])));
    world.table.delete_client_key(owner).await.unwrap();
    assert!(published(&first.secret).await.is_err());
}

#[tokio::test]
async fn a_seller_runs_20_experiments_at_most() {
    let (world, _) = world_with(1).await;
    for number in 100..120 {
        world.put(&keys::experiments::running(user_id(SELLER), experiment_id(number)), &json!({}));
    }
    let refused = patch(&world, 1, "*", &json!({"status": "running"}), 20).await.unwrap_err();
    assert_eq!(refused.kind, web::problem::Kind::Conflict);
    world.delete(&keys::experiments::running(user_id(SELLER), experiment_id(100)));
    assert!(patch(&world, 1, "*", &json!({"status": "running"}), 21).await.is_ok());
}

#[tokio::test]
async fn a_visitor_is_bound_to_an_account_once() {
    use domain::id::{Id, VisitorUuid};
    let world = World::new();
    let (user, email, credential) = tests::samples::account(1, "ada@example.com");
    world.table.register(&user, &email, &credential).await.unwrap();
    let visitor = |byte: u8| VisitorUuid::new(now(), [byte; 10]);
    let bind = world.table.bind_visitor(user.user_id, visitor(1));
    assert_eq!(world.measure("bind_visitor", "", bind).await, Ok(Some(visitor(1))));
    let again = world.table.bind_visitor(user.user_id, visitor(2));
    assert_eq!(world.measure("bind_visitor", "bound before", again).await, Ok(Some(visitor(1))));
    assert_eq!(world.table.bind_visitor(user_id(2), visitor(1)).await, Ok(None));
    assert_eq!(world.table.user(user.user_id).await.unwrap().visitor_id, Some(visitor(1)));
}
