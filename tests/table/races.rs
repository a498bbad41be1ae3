//! Concurrent operations on the same items, on several threads.

use crate::{hold, together};
use domain::{Error, id::UserId, rating::RatingChange};
use std::{sync::Arc, time::Duration};
use table::{Applied, Hidden, Position, Reviewed, keys};
use tests::{
    Fault, World,
    samples::{
        account, email, exchange, later, next_review, next_version, once, position, product, product_id,
        review, session, stars, user_id, withdrawal,
    },
};
use tokio::sync::Barrier;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_200_changes_of_one_version_succeeds() {
    let world = Arc::new(World::new());
    world.publish(&product(1, 7)).await;
    hold(&world, "PutItem", 200);
    let changed = together(&world, 200, async |world, number| {
        let mut next = next_version(&world.table.product(product_id(1)).await?);
        next.draft.name = format!("by {number}").parse().unwrap();
        world.table.replace_product(&next, &next.draft.category, writer(number)).await.map(|()| next)
    })
    .await;
    let won: Vec<_> = changed.iter().flatten().collect();
    let stale = changed.iter().filter(|result| **result == Err(Error::Stale { current: 2 }));
    assert_eq!((won.len(), stale.count()), (1, 199));
    assert_eq!(world.table.product(product_id(1)).await.as_ref(), Ok(won[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_retried_changes_are_all_kept() {
    let world = Arc::new(World::new());
    world.publish(&product(1, 7)).await;
    let mut won = together(&world, 200, async |world, number| {
        let pause = u64::from(number % 20);
        loop {
            let mut next = next_version(&world.table.product(product_id(1)).await.unwrap());
            next.draft.price.amount += 1;
            match world.table.replace_product(&next, &next.draft.category, writer(number)).await {
                Ok(()) => return next.version,
                // Like real clients, each waits a different time, so that the retries do not collide again.
                Err(Error::Stale { .. }) => tokio::time::sleep(Duration::from_millis(pause)).await,
                Err(other) => panic!("{other:?}"),
            }
        }
    })
    .await;
    won.sort_unstable();
    assert_eq!(won, (2..=201).collect::<Vec<_>>(), "each version has one winner");
    let last = world.table.product(product_id(1)).await.unwrap();
    assert_eq!((last.version, last.draft.price.amount), (201, 650 + 2 * 200));
}

fn writer(number: u32) -> table::Writer {
    let mut writer = [0; 16];
    writer[..4].copy_from_slice(&number.to_be_bytes());
    table::Writer(writer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_50_registrations_of_one_address_succeeds() {
    let world = Arc::new(World::new());
    hold(&world, "TransactWriteItems", 50);
    let registered = together(&world, 50, async |world, number| {
        let (user, email, credential) = account(number, &in_some_case("ada@example.com", number));
        world.table.register(&user, &email, &credential).await.unwrap().then_some(user)
    })
    .await;
    let opened: Vec<_> = registered.iter().flatten().collect();
    assert_eq!(opened.len(), 1);

    let credential = world.table.credential(&email("ada@example.com")).await.unwrap().unwrap();
    let id: UserId = credential.user_id;
    assert_eq!(id, opened[0].user_id);
    let number = (0..50).find(|number| user_id(*number) == id).unwrap();
    assert_eq!(credential, account(number, "ada@example.com").2, "the password is the one of the winner");
    assert_eq!(world.table.user(id).await.as_ref(), Ok(opened[0]));
    assert_eq!(world.items().len(), 2, "nothing is left of the others");
}

/// The text with letters in upper case as selected by the bits of the number.
fn in_some_case(text: &str, number: u32) -> String {
    let letter = |(index, letter): (usize, char)| {
        if number >> (index % 6) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    text.chars().enumerate().map(letter).collect()
}

/// Tabs of a browser share a refresh token, and refresh at the same instant.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_exchanges_of_one_secret_give_one_successor_and_the_session_goes_on() {
    let world = Arc::new(World::new());
    let (log_in, token) = session(1, 1);
    world.table.create_session(&log_in).await.unwrap();
    hold(&world, "UpdateItem", 20);
    let exchanged = together(&world, 20, async |world, number| {
        let now = later(u64::from(number % 10));
        world.table.rotate_session(&session(1, 1).1, exchange(1, 2), now).await
    })
    .await;
    assert!(exchanged.iter().all(Result::is_ok), "{exchanged:?}");
    let next = world.table.rotate_session(&token, exchange(2, 3), later(9)).await;
    assert!(next.is_ok(), "{next:?}");
}

/// Either the change is first, and the product stays; or the product is hidden first, and the change does not find it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_and_a_withdrawal_of_the_same_version_never_both_succeed() {
    for round in 0..25 {
        let world = Arc::new(World::new());
        let first = product(1, 7);
        world.publish(&first).await;
        let barrier = Arc::new(Barrier::new(2));
        world.wire.next("PutItem", [Fault::Held(Arc::clone(&barrier))]);
        world.wire.next("TransactWriteItems", [Fault::Held(barrier)]);
        let change = {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                world.table.replace_product(&next_version(&first), &first.draft.category, writer(round)).await
            })
        };
        let hidden = world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
        match (change.await.unwrap(), hidden) {
            (Ok(()), Hidden::Superseded(2)) => {
                assert_eq!(world.table.product(product_id(1)).await.unwrap().version, 2);
            }
            (Err(Error::NotFound { .. }), Hidden::Done) => {
                assert_eq!(world.item(&keys::product(product_id(1)))["version"]["N"], "1");
            }
            both => panic!("{both:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_50_changes_of_one_version_of_a_review_succeeds() {
    let world = Arc::new(World::new());
    let first = world.put_review(product_id(1), 1);
    hold(&world, "UpdateItem", 50);
    let changed = together(&world, 50, async |world, number| {
        let mut next = next_review(&review(product_id(1), 1));
        next.draft.title = format!("change {number}").parse().unwrap();
        world.table.replace_review(&next, writer(number)).await.map(|()| next)
    })
    .await;
    let won: Vec<_> = changed.iter().flatten().collect();
    let stale = changed.iter().filter(|result| **result == Err(Error::Stale { current: 2 }));
    assert_eq!((won.len(), stale.count()), (1, 49));
    assert_eq!(world.table.review(product_id(1), first.author_id).await.as_ref(), Ok(won[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_20_concurrent_reviews_by_one_user_is_stored() {
    let world = Arc::new(World::new());
    hold(&world, "PutItem", 20);
    let created = together(&world, 20, async |world, number| {
        let mut review = review(product_id(1), 1);
        review.draft.title = format!("review {number}").parse().unwrap();
        world.table.create_review(&review, None, writer(number)).await.map(|_| review)
    })
    .await;
    let won: Vec<_> = created.iter().flatten().collect();
    let refused = created.iter().filter(|result| matches!(result, Err(Error::Conflict { .. })));
    assert_eq!((won.len(), refused.count()), (1, 19));
    assert_eq!(world.table.review(product_id(1), won[0].author_id).await.as_ref(), Ok(won[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_review_that_is_sent_20_times_with_one_key_is_created_once() {
    let world = Arc::new(World::new());
    hold(&world, "PutItem", 20);
    let created = together(&world, 20, async |world, number| {
        let review = review(product_id(1), 1);
        world.table.create_review(&review, Some(&once("k", 1)), writer(number)).await.unwrap()
    })
    .await;
    let before = Reviewed::Before(Box::new(review(product_id(1), 1)));
    assert_eq!(created.iter().filter(|outcome| **outcome == Reviewed::Created).count(), 1);
    assert_eq!(created.iter().filter(|outcome| **outcome == before).count(), 19);
}

/// Either the change is first, and the review stays; or the review is deleted first, and the change does not find it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_and_a_deletion_of_the_same_review_never_both_succeed() {
    for round in 0..25 {
        let world = Arc::new(World::new());
        let first = world.put_review(product_id(1), 1);
        let barrier = Arc::new(Barrier::new(2));
        for operation in ["UpdateItem", "DeleteItem"] {
            world.wire.next(operation, [Fault::Held(Arc::clone(&barrier))]);
        }
        let change = {
            let (world, next) = (Arc::clone(&world), next_review(&first));
            tokio::spawn(async move { world.table.replace_review(&next, writer(round)).await })
        };
        let deleted = world.table.delete_review(&first).await;
        match (change.await.unwrap(), deleted) {
            (Ok(()), Err(Error::Stale { current: 2 })) => assert_eq!(world.items().len(), 1),
            (Err(Error::NotFound { .. }), Ok(())) => assert_eq!(world.items().len(), 0),
            both => panic!("{both:?}"),
        }
    }
}

/// The changes at positions 1 to `last` in the stream; each is a new review.
fn written(last: u64) -> Vec<(Position, RatingChange)> {
    let stars = |place: u64| stars(i64::try_from(place).unwrap() % 5 + 1);
    let change = |place: u64| (position(place), RatingChange::of(None, Some(stars(place))));
    (1..=last).map(change).collect()
}

/// A worker that Lambda treats as failed is still running when the next worker gets the same batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_that_several_workers_have_at_once_is_counted_once() {
    for (workers, counted_before) in [(2, 0), (2, 10), (5, 0), (5, 49)] {
        let world = Arc::new(World::new());
        world.publish(&product(1, 7)).await;
        world.table.count(product_id(1), &written(counted_before)).await.unwrap();
        hold(&world, "UpdateItem", workers as usize);
        let counted = together(&world, workers, async |world, _| {
            world.table.count(product_id(1), &written(50)).await.unwrap()
        })
        .await;
        assert!(counted.iter().all(|applied| *applied == Applied::Counted));
        let listed = world.table.listed_product(product_id(1)).await.unwrap();
        assert_eq!(listed.rating.histogram, [10; 5], "{workers} workers");
    }
}

/// Each worker has a prefix of the batch with a different length; the longest is the complete batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parts_of_a_batch_that_several_workers_have_at_once_are_counted_once() {
    for _ in 0..25 {
        let world = Arc::new(World::new());
        world.publish(&product(1, 7)).await;
        hold(&world, "UpdateItem", 5);
        together(&world, 5, async |world, number| {
            world.table.count(product_id(1), &written(u64::from(number + 1) * 10)).await.unwrap()
        })
        .await;
        let listed = world.table.listed_product(product_id(1)).await.unwrap();
        assert_eq!(listed.rating.histogram, [10; 5]);
    }
}
