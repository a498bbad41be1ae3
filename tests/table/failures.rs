//! The behaviour of every access pattern when DynamoDB or the network fails.

use crate::{
    is_unavailable,
    order_support::{self, declined, in_status, order_id, payment, placed, unsettled},
};
use domain::{
    Error,
    deletion::Run,
    idempotency::{Idempotency, IdempotencyKey, StoredResponse},
    limit::Limit,
    order::OrderStatus,
    page::PageSize,
    payment::{DisputeStatus, RefundStatus},
    payment_events::EventPeriod,
    rating::RatingChange,
    review::ReviewFilter,
    stock::StockChange,
};
use table::{Afterwards, Epoch, PublishedKey, Recount, SweepPosition};
use tests::{
    Fault, World,
    samples::{
        STREAM, account, caller, exchange, later, next_review, next_version, now, position, product,
        product_id, review, session, stars, stock, user_id, withdrawal,
    },
};

const ORDERS: Limit = Limit { name: "orders", quota: 9, window_seconds: 60 };

const OPERATIONS: [&str; 8] = [
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "TransactWriteItems",
    "UpdateItem",
];

/// A table with the items that the access patterns need: product 1 is visible, product 2 is hidden, and product 4 is
/// used by orders 1 and 2, which are unsettled.
async fn prepared() -> (World, Recount) {
    let world = World::new();
    for number in [1, 2] {
        world.publish(&product(number, 7)).await;
    }
    for number in 0..3 {
        world.put_review(product_id(1), number);
    }
    world.table.hide_product(withdrawal(product_id(2), 1)).await.unwrap();
    let (user, email, credential) = account(1, "ada@example.com");
    world.table.register(&user, &email, &credential).await.unwrap();
    world.table.create_session(&session(1, 1).0).await.unwrap();
    let recount = world.table.recount(product_id(1)).await.unwrap();
    world.publish(&product(4, 7)).await;
    for number in [1, 2] {
        order_support::record(&world, &placed(number, &[(4, 1)])).await;
    }
    world.measured();
    (world, recount)
}

/// Calls every access pattern except those of orders once, in an order in which each succeeds.
async fn all(world: &World, recounted: &Recount) -> Vec<(&'static str, Result<(), Error>)> {
    let table = &world.table;
    let (user, email, credential) = account(3, "bob@example.com");
    let (second_session, _) = session(2, 1);
    let (first_session, token) = session(1, 1);
    let limit = Limit { name: "source", quota: 9, window_seconds: 60 };
    let key = PublishedKey { kid: "k".to_owned(), public: [1; 32], signs_until: later(60) };
    let once = Idempotency { key: IdempotencyKey::parse("k").unwrap(), fingerprint: [1; 32] };
    let answer = StoredResponse { status: 201, headers: Vec::new(), body: String::new() };
    let (fresh, next) = (product(3, 7), next_version(&product(1, 7)));
    let (page, add) = (PageSize::DEFAULT, StockChange::Add(1));
    let written = |number| review(product_id(1), number);
    let changes = [(position(1), RatingChange::of(None, Some(stars(5))))];
    let author = written(0).author_id;
    let food = next.draft.category.clone();
    vec![
        // Its 16 requests would use up the retries that the client allows itself.
        ("categories", world.another_client().categories(page, None).await.map(drop)),
        ("recount_category", table.recount_category(&food).await.map(drop)),
        ("create_product", table.create_product(&fresh, stock(3), Some((&once, &answer))).await.map(drop)),
        (
            "create_review",
            table.create_review(&written(3), Some(&once), table::Writer([1; 16])).await.map(drop),
        ),
        ("create_session", table.create_session(&second_session).await),
        ("credential", table.credential(&email).await.map(drop)),
        ("delete_review", table.delete_review(&written(2)).await),
        ("listed_product", table.listed_product(product_id(1)).await.map(drop)),
        ("present_page", table.present_page(product_id(1), 10).await.map(drop)),
        ("product", table.product(product_id(1)).await.map(drop)),
        ("product_page", table.product_page(product_id(1), 10).await.map(drop)),
        ("products_of_category", table.products_of_category(&food, page, None).await.map(drop)),
        ("products_of_seller", table.products_of_seller(user_id(7), page, None).await.map(drop)),
        ("publish_signing_key", table.publish_signing_key(&key).await),
        ("recount", table.recount(product_id(1)).await.map(drop)),
        ("register", table.register(&user, &email, &credential).await.map(drop)),
        ("repair_rating", table.repair_rating(product_id(1), recounted, STREAM).await.map(drop)),
        ("count", table.count(product_id(1), &changes).await.map(drop)),
        ("replace_product", table.replace_product(&next, &next.draft.category, table::Writer([1; 16])).await),
        (
            "replace_product_and_stock",
            table
                .replace_product_and_stock(&next_version(&next), &food, stock(7), table::Writer([2; 16]))
                .await,
        ),
        (
            "change_stock",
            table.change_stock(product_id(1), user_id(7), add, Some(&once), now()).await.map(drop),
        ),
        ("stock", table.stock(product_id(1)).await.map(drop)),
        ("replace_review", table.replace_review(&next_review(&written(1)), table::Writer([1; 16])).await),
        ("display_name", table.display_name(user_id(1)).await.map(drop)),
        ("admit_review", table.admit_review(user_id(1), product_id(1), limit, now()).await.map(drop)),
        ("reviews_by", table.reviews_by(user_id(1), page, None).await.map(drop)),
        ("has_bought", table.has_bought(user_id(1), product_id(1)).await.map(drop)),
        ("require_product", table.require_product(product_id(1)).await),
        ("seller_of", table.seller_of(product_id(1)).await.map(drop)),
        ("review", table.review(product_id(1), author).await.map(drop)),
        ("reviews_of", table.reviews_of(product_id(1), ReviewFilter::default(), page, None).await.map(drop)),
        ("rotate_session", table.rotate_session(&token, exchange(1, 2), now()).await.map(drop)),
        ("signing_keys", table.signing_keys(now()).await.map(drop)),
        ("spend", table.spend("log-in", limit, "x", now()).await.map(drop)),
        ("user", table.user(user_id(1)).await.map(drop)),
        ("sessions", table.sessions(&caller(1), now()).await.map(drop)),
        ("require_session", table.require_session(user_id(1), first_session.session_id, now()).await),
        ("end_oldest_sessions", table.end_oldest_sessions(user_id(1), now()).await),
        ("end_session", table.end_session(first_session.user_id, first_session.session_id, now()).await),
        ("end_sessions", table.end_sessions(user_id(2), None, now()).await),
        ("hide_product", table.hide_product(withdrawal(product_id(1), 3)).await.map(drop)),
        ("begin_deletion_run", table.begin_deletion_run(&withdrawal(product_id(2), 1).next()).await),
        ("withdrawn_products", table.withdrawn_products(later(9), &SweepPosition::start()).await.map(drop)),
        ("purge_reviews", table.purge_reviews(product_id(1)).await.map(drop)),
        ("purge_product", table.purge_product(product_id(2), user_id(7)).await),
    ]
}

/// Calls the access patterns of orders: the first order is confirmed and cancelled, the second is undone.
async fn all_of_orders(world: &World) -> Vec<(&'static str, Result<(), Error>)> {
    let table = &world.table;
    let (first, second, third) = (placed(1, &[(4, 1)]), placed(2, &[(4, 1)]), placed(3, &[(4, 1)]));
    let once = Idempotency { key: IdempotencyKey::parse("order").unwrap(), fingerprint: [1; 32] };
    let (customer, request, undone, paid) =
        (first.customer_id, first.request(), second.request(), payment(1));
    let (confirmed, reason) = (in_status(first, OrderStatus::Confirmed), declined());
    let unsettled = unsettled(2);
    vec![
        ("products", table.products(&[product_id(4)]).await.map(drop)),
        ("order_recorded_before", table.order_recorded_before(customer, &once, now()).await.map(drop)),
        ("record_order", table.record_order(&third, &once).await.map(drop)),
        ("order", table.order(customer, order_id(1)).await.map(drop)),
        ("orders", table.orders(customer, None, PageSize::DEFAULT, None).await.map(drop)),
        ("unsettled_orders", table.unsettled_orders(later(9), &SweepPosition::start()).await.map(drop)),
        ("count_failed_attempt", table.count_failed_attempt(&unsettled, "x", now()).await.map(drop)),
        ("leave_to_a_person", table.leave_to_a_person(order_id(2), Epoch::PLACEMENT, "x", None).await),
        ("retry_unsettled", table.retry_unsettled(order_id(2)).await.map(drop)),
        ("reserve_stock", table.reserve_stock(&request, now()).await),
        ("begin_payment", table.begin_payment(order_id(1), &paid).await),
        ("confirm_order", table.confirm_order(&request, &paid).await),
        ("record_purchases", table.record_purchases(&request, now()).await),
        ("settle_paid", table.settle_paid(order_id(1)).await),
        ("revoke_purchases", table.revoke_purchases(&request, now()).await),
        ("cancel_order", table.cancel_order(confirmed).await.map(drop)),
        ("fail_payment", table.fail_payment(&request, &reason).await.map(drop)),
        (
            "release_stock, settled",
            table.release_stock(&request, Epoch::CANCELLATION, Afterwards::Settled, now()).await,
        ),
        ("reserve_stock", table.reserve_stock(&undone, now()).await),
        ("close_payment", table.close_payment(order_id(2), Epoch::PLACEMENT).await.map(drop)),
        ("release_stock", table.release_stock(&undone, Epoch::PLACEMENT, Afterwards::Unsettled, now()).await),
        ("reject_unsettled", table.reject_unsettled(&undone, &reason).await),
        ("reject_order", table.reject_order(&undone, &reason).await),
        ("owe_refund", table.owe_refund(&second, &paid, 1).await),
        (
            "note_dispute",
            table.note_dispute(&in_status(second.clone(), OrderStatus::Rejected), DisputeStatus::Open).await,
        ),
        (
            "note_refund",
            table.note_refund(&undone, Epoch::after_failed_refunds(1), Some(RefundStatus::Failed)).await,
        ),
        ("is_processed", table.is_processed("evt_1", now()).await.map(drop)),
        ("record_processed", table.record_processed("evt_1", now()).await),
        ("admit_order", table.admit_order(customer, order_id(3), [ORDERS, ORDERS]).await.map(drop)),
        ("count_as_paid", table.count_as_paid(customer, order_id(3), 60).await),
        ("event_period", table.event_period().await.map(drop)),
        ("keep_event_period", table.keep_event_period(&EventPeriod::first(now())).await),
    ]
}

/// Calls all access patterns.
async fn each(world: &World, recounted: &Recount) -> Vec<(&'static str, Result<(), Error>)> {
    let mut results = Box::pin(all(world, recounted)).await;
    results.extend(Box::pin(all_of_orders(world)).await);
    results
}

#[tokio::test]
async fn every_access_pattern_succeeds_when_nothing_fails() {
    let (world, recounted) = prepared().await;
    for (name, result) in each(&world, &recounted).await {
        assert_eq!(result, Ok(()), "{name}");
    }
}

/// Each fault affects only the first attempt, so the client's retry succeeds and the caller gets no error.
#[tokio::test]
async fn every_access_pattern_survives_a_fault_of_a_moment() {
    for fault in [Fault::Throttled, Fault::Failing, Fault::Unreachable, Fault::AnswerLost] {
        let (world, recounted) = prepared().await;
        for operation in OPERATIONS {
            world.wire.always(operation, Fault::AtFirst(Box::new(fault.clone())));
        }
        for (name, result) in each(&world, &recounted).await {
            assert_eq!(result, Ok(()), "{name}");
        }
    }
}

#[tokio::test]
async fn every_access_pattern_is_unavailable_while_the_fault_lasts() {
    let lasting = [
        Fault::Throttled,
        Fault::Failing,
        Fault::Unreachable,
        Fault::Refused("com.amazon.coral.availability#ThrottlingException"),
        Fault::Refused("com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"),
    ];
    for fault in lasting {
        let (world, recounted) = prepared().await;
        let before = world.items();
        for operation in OPERATIONS {
            world.wire.always(operation, fault.clone());
        }
        for (name, result) in each(&world, &recounted).await {
            assert!(is_unavailable(&result), "{name}: {result:?}");
        }
        assert_eq!(world.items(), before);
    }
}

#[tokio::test]
async fn a_request_is_tried_three_times() {
    let world = World::new();
    world.wire.always("GetItem", Fault::Throttled);
    let _ = world.table.product(product_id(1)).await;
    assert_eq!(world.wire.take_sent().len(), 3);
}

/// A retry cannot correct an invalid request.
#[tokio::test]
async fn a_request_that_is_wrong_is_our_mistake_and_tried_once() {
    let world = World::new();
    world.wire.always("GetItem", Fault::Refused("com.amazon.coral.validate#ValidationException"));
    let read = world.table.product(product_id(1)).await;
    assert!(matches!(read, Err(Error::Internal { .. })), "{read:?}");
    assert_eq!(world.wire.take_sent().len(), 1);
}

/// A stream consumer must not give up what a corrected deployment can process.
#[tokio::test]
async fn a_request_that_a_role_does_not_allow_is_unavailable_and_tried_once() {
    let world = World::new();
    world.wire.always("GetItem", Fault::Refused("com.amazon.coral.service#AccessDeniedException"));
    let read = world.table.product(product_id(1)).await;
    assert!(is_unavailable(&read), "{read:?}");
    assert_eq!(world.wire.take_sent().len(), 1);
}

#[tokio::test]
async fn a_transaction_that_others_are_in_the_way_of_is_tried_again() {
    let world = World::new();
    let conflict = Fault::Cancelled(vec!["None", "TransactionConflict"]);
    world.wire.next("TransactWriteItems", vec![conflict; 5]);
    let (user, email, credential) = account(1, "ada@example.com");
    assert_eq!(world.table.register(&user, &email, &credential).await, Ok(true));
    assert_eq!(world.wire.take_sent().len(), 6);
}

/// The client request token makes the client's own retries idempotent; a new attempt after a cancellation needs a new
/// token.
#[tokio::test]
async fn a_transaction_is_tried_again_under_another_token() {
    let world = World::new();
    let faults = [Fault::Unreachable, Fault::Cancelled(vec!["TransactionConflict", "None"])];
    world.wire.next("TransactWriteItems", faults);
    let (user, email, credential) = account(1, "ada@example.com");
    world.table.register(&user, &email, &credential).await.unwrap();
    let sent = world.wire.take_sent();
    let tokens: Vec<_> = sent.iter().map(|sent| sent.body["ClientRequestToken"].as_str().unwrap()).collect();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[1], tokens[2]);
}

#[tokio::test]
async fn a_transaction_that_others_are_always_in_the_way_of_is_unavailable() {
    let world = World::new();
    world.wire.always("TransactWriteItems", Fault::Cancelled(vec!["TransactionConflict", "None"]));
    let (user, email, credential) = account(1, "ada@example.com");
    let registered = world.table.register(&user, &email, &credential).await;
    assert!(is_unavailable(&registered), "{registered:?}");
    assert_eq!(world.wire.take_sent().len(), 6);
}

/// DynamoDB reports a throttled transaction as cancelled, which the client does not retry by itself.
#[tokio::test]
async fn a_throttled_transaction_is_tried_again_and_then_unavailable() {
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
        let world = World::new();
        let throttled = Fault::Cancelled(vec!["None", code]);
        let (user, email, credential) = account(1, "ada@example.com");
        world.wire.always("TransactWriteItems", throttled.clone());
        let registered = world.table.register(&user, &email, &credential).await;
        assert!(is_unavailable(&registered), "{code}: {registered:?}");
        world.wire.heal();
        world.wire.next("TransactWriteItems", [throttled]);
        assert_eq!(world.table.register(&user, &email, &credential).await, Ok(true), "{code}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_wrong_is_our_mistake_and_tried_once() {
    let world = World::new();
    world.wire.always("TransactWriteItems", Fault::Cancelled(vec!["None", "ValidationError"]));
    let (user, email, credential) = account(1, "ada@example.com");
    let registered = world.table.register(&user, &email, &credential).await;
    assert!(matches!(registered, Err(Error::Internal { .. })), "{registered:?}");
    assert_eq!(world.wire.take_sent().len(), 1);
}

/// A single write that conflicts with a transaction: a seller changes a product that is being ordered.
#[tokio::test]
async fn a_write_that_conflicts_with_a_transaction_is_retried() {
    let conflict = Fault::Refused("com.amazonaws.dynamodb.v20120810#TransactionConflictException");
    let writer = table::Writer([1; 16]);
    for conflicts in [1, 5] {
        let (world, _) = prepared().await;
        world.wire.take_sent();
        world.wire.next("PutItem", vec![conflict.clone(); conflicts]);
        let next = next_version(&product(1, 7));
        assert_eq!(world.table.replace_product(&next, &next.draft.category, writer).await, Ok(()));
        assert_eq!(world.wire.take_sent().len(), conflicts + 1);
        assert_eq!(world.table.product(next.product_id).await, Ok(next));
    }
    let (world, _) = prepared().await;
    for operation in ["PutItem", "UpdateItem", "DeleteItem"] {
        world.wire.always(operation, conflict.clone());
    }
    world.wire.take_sent();
    let next = next_version(&product(1, 7));
    let replaced = world.table.replace_product(&next, &next.draft.category, writer).await;
    assert!(is_unavailable(&replaced), "{replaced:?}");
    assert_eq!(world.wire.take_sent().len(), 6);
    for written in [
        world.table.settle_paid(domain::id::Id::new(now(), [9; 10])).await,
        world.table.close_payment(order_id(1), Epoch::PLACEMENT).await.map(drop),
    ] {
        assert!(is_unavailable(&written), "{written:?}");
        assert_eq!(world.wire.take_sent().len() % 6, 0);
    }
}
