//! Ratings: exact although the stream's consumer fails.

use crate::{
    own_instance::OwnInstance,
    souk::{Answer, SOUK, Souk, User, eventually},
};
use domain::{
    Timestamp,
    id::{Id, ProductId, UserId},
    product::ReviewPosition,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use table::keys;

fn review(souk: &Souk, author: &User, product: &str, rating: usize) -> Answer {
    let body = json!({"rating": rating, "title": "Sweet", "body": "Like at home."});
    souk.send(author.call("POST", &format!("{product}/reviews")).json(&body))
}

fn histogram(souk: &Souk, product: &str) -> Vec<u64> {
    let page = souk.get(product);
    ["1", "2", "3", "4", "5"]
        .iter()
        .map(|stars| page.body["rating"]["histogram"][stars].as_u64().unwrap())
        .collect()
}

#[test]
fn five_hundred_reviews_are_counted_exactly_though_the_function_is_killed_meanwhile() {
    const REVIEWS: usize = 500;
    const AT_A_TIME: usize = 8;
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let seller = souk.user();
    let products: Vec<String> =
        (0..20).map(|_| souk.product(&seller).header("location").to_owned()).collect();
    // Each writes one review of each product: a log-in costs more than a review.
    let authors: Vec<_> = (0..REVIEWS / products.len()).map(|_| souk.user()).collect();
    let expected: Mutex<BTreeMap<&str, [u64; 5]>> = Mutex::default();
    let (next, done, deaths) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let write = || loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= REVIEWS {
                break;
            }
            let (product, rating) = (&products[number % products.len()], number * 7 % 5 + 1);
            let answer = review(souk, &authors[number / products.len()], product, rating);
            assert_eq!(answer.status, 201, "{answer:?}");
            expected.lock().unwrap().entry(product).or_default()[rating - 1] += 1;
        };
        let writers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(write)).collect();
        let killer = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                deaths.fetch_add(own.kill("rating-average"), Ordering::Relaxed);
                let mut random = [0];
                getrandom::fill(&mut random).unwrap();
                thread::sleep(Duration::from_millis(50 + u64::from(random[0])));
            }
        });
        let written: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        killer.join().unwrap();
        assert!(written.iter().all(Result::is_ok));
    });
    let deaths = deaths.into_inner();
    assert!(deaths >= 10, "the function was killed {deaths} times");
    let expected = expected.into_inner().unwrap();
    for product in &products {
        let want = expected[product.as_str()].to_vec();
        eventually("the stream has drained", || {
            histogram(souk, product).iter().sum::<u64>() >= want.iter().sum()
        });
        eventually("the rating is exact", || histogram(souk, product) == want);
    }
}

/// Writes a review that cannot be parsed, as a faulty deployment might.
fn poison(souk: &Souk, product: &str) {
    let product: ProductId = product.trim_start_matches("/products/").parse().unwrap();
    let now = Timestamp::from_unix_milliseconds(1_763_659_827_040);
    let author_id = UserId::new(now, [7; 10]);
    let (key, on_page) = (
        keys::review(product, author_id),
        keys::review_on_page(product, &ReviewPosition { created_at: now, author_id }),
    );
    let item = json!({
        "pk": {"S": key.pk}, "sk": {"S": key.sk}, "gsi1pk": {"S": on_page.pk}, "gsi1sk": {"S": on_page.sk},
        "rating": {"S": "five"},
    });
    let put = json!({"TableName": souk.output("TableName"), "Item": item});
    souk.aws("dynamodb", "DynamoDB_20120810.PutItem", &put);
}

#[test]
fn an_unreadable_record_ends_in_the_queue_with_its_product_and_stops_nobody() {
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let seller = souk.user();
    let (good, bad) = (souk.product(&seller), souk.product(&seller));
    let (good, bad) = (good.header("location"), bad.header("location"));
    let authors: Vec<User> = (0..6).map(|_| souk.user()).collect();
    for author in &authors[..3] {
        assert_eq!(review(souk, author, good, 5).status, 201);
    }
    poison(souk, bad);
    for author in &authors[3..] {
        assert_eq!(review(souk, author, good, 4).status, 201);
    }
    eventually("the others are counted", || histogram(souk, good) == [0, 0, 0, 3, 3]);
    for consumer in ["rating-average", "cache-warm"] {
        let url = souk.aws(
            "sqs",
            "AmazonSQS.GetQueueUrl",
            &json!({"QueueName": format!("souk-{consumer}-failed")}),
        );
        let message = || -> Option<Value> {
            let received = souk.aws(
                "sqs",
                "AmazonSQS.ReceiveMessage",
                &json!({"QueueUrl": url["QueueUrl"], "VisibilityTimeout": 0}),
            );
            serde_json::from_str(received["Messages"][0]["Body"].as_str()?).ok()
        };
        eventually("the poison is described in the queue", || message().is_some());
        let message = message().unwrap();
        assert_eq!(message["productId"], bad.trim_start_matches("/products/"), "{message}");
        assert_eq!(message["sequenceNumbers"].as_array().unwrap().len(), 1, "{message}");
        assert!(message["error"].as_str().unwrap().contains("cannot be parsed"), "{message}");
    }
}

/// Retries used to end after six invocations.
#[test]
fn an_outage_of_many_retries_loses_no_review() {
    const FAILURES: u64 = 8;
    let own = OwnInstance::lease(&[]);
    let souk = &own.souk;
    let product = souk.product(&souk.user());
    let product = product.header("location");
    souk.put_faults(&json!([{"function": "rating-average", "kind": "before", "times": FAILURES}]));
    assert_eq!(review(souk, &souk.user(), product, 5).status, 201);
    eventually("the rating is counted after the outage", || histogram(souk, product) == [0, 0, 0, 0, 1]);
    assert_eq!(souk.fired("rating-average"), FAILURES);
}

#[test]
fn the_audit_finds_drift_and_repairs_it() {
    let seller = SOUK.user();
    let product = SOUK.product(&seller);
    let path = product.header("location");
    assert_eq!(review(&SOUK, &SOUK.user(), path, 4).status, 201);
    eventually("the rating is there", || histogram(&SOUK, path) == [0, 0, 0, 1, 0]);
    let id = product.body["productId"].as_str().unwrap();
    let audit = |repair: bool| {
        let input = json!({"productId": id, "repair": repair, "quietSeconds": 0});
        SOUK.invoke("rating-audit", &input)
    };
    assert_eq!(audit(false), json!({"checked": 1, "drifted": []}));
    let update = json!({
        "TableName": SOUK.output("TableName"),
        "Key": {"pk": {"S": format!("PRODUCT#{id}")}, "sk": {"S": "RATING"}},
        "UpdateExpression": "ADD stars1 :seven", "ExpressionAttributeValues": {":seven": {"N": "7"}},
    });
    SOUK.aws("dynamodb", "DynamoDB_20120810.UpdateItem", &update);
    let drift =
        json!({"productId": id, "stored": [7, 0, 0, 1, 0], "counted": [0, 0, 0, 1, 0], "repaired": false});
    assert_eq!(audit(false)["drifted"], json!([drift]));
    assert_eq!(audit(true)["drifted"][0]["repaired"], true);
    assert_eq!(audit(false)["drifted"], json!([]));
}
