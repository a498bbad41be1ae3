//! Deletion of a product and its reviews: the state machine product-delete.

use crate::{
    own_instance::OwnInstance,
    souk::{SOUK, Souk, eventually},
};
use domain::{
    Timestamp,
    id::{Id, ProductId, UserId},
    product::ReviewPosition,
};
use serde_json::{Value, json};
use table::keys;

const MACHINE: &str = "ProductDeleteMachineArn";

/// Writes `count` reviews of a product into the table, in the stored form.
fn review(souk: &Souk, product: &str, count: usize) {
    let product: ProductId = product.parse().unwrap();
    let items: Vec<Value> = (0..count)
        .map(|number| {
            let mut random = [0; 10];
            getrandom::fill(&mut random).unwrap();
            let now = Timestamp::from_unix_milliseconds(1_763_659_827_040 + number as u64);
            let author_id = UserId::new(now, random);
            let key = keys::review(product, author_id);
            let on_page = keys::review_on_page(product, &ReviewPosition { created_at: now, author_id });
            let text = |text: String| json!({"S": text});
            json!({"PutRequest": {"Item": {
                "pk": text(key.pk), "sk": text(key.sk), "gsi1pk": text(on_page.pk), "gsi1sk": text(on_page.sk),
                "productId": text(product.to_string()), "authorId": text(author_id.to_string()),
                "rating": {"N": "4"}, "title": text("Good".into()), "body": text("Sweet.".into()), "version": {"N": "1"},
                "createdAt": text(now.to_string()), "updatedAt": text(now.to_string()),
            }}})
        })
        .collect();
    for batch in items.chunks(25) {
        let request = json!({"RequestItems": {souk.output("TableName"): batch}});
        souk.aws("dynamodb", "DynamoDB_20120810.BatchWriteItem", &request);
    }
}

#[test]
fn a_product_shows_its_newest_reviews_and_goes_with_all_of_them() {
    let seller = SOUK.user();
    let created = SOUK.product(&seller);
    let id = created.body["productId"].as_str().unwrap();
    let path = created.header("location");
    review(&SOUK, id, 350);
    let page = SOUK.get(path);
    let shown: Vec<_> = page.body["reviews"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|review| review["createdAt"].as_str().unwrap())
        .collect();
    assert_eq!(shown.len(), 10);
    assert!(shown.is_sorted_by(|newer, older| newer > older), "{shown:?}");
    assert!(page.body["reviews"]["nextCursor"].is_string());

    let withdrawn = SOUK.send(seller.call("DELETE", path).header("if-match", "\"1\""));
    assert_eq!(withdrawn.status, 204);
    SOUK.get(path).problem(404, "not-found");
    SOUK.get(&format!("{path}/reviews")).problem(404, "not-found");
    SOUK.send(seller.call("PATCH", path).header("if-match", "\"1\"").json(&json!({"stock": 1})))
        .problem(404, "not-found");
    assert_eq!(SOUK.get(&format!("/products?seller={}", seller.id)).body["items"], json!([]));
    eventually("nothing of the product is left", || {
        SOUK.items_in(&keys::product_partition(id.parse().unwrap())) == 0
    });
    let seller_items = || SOUK.items_in(&keys::user_partition(seller.id.parse().unwrap()));
    eventually("the seller has a profile left", || seller_items() == 1);
}

/// The function may die after it has started the machine, so the machine hides the product itself.
#[test]
fn the_machine_alone_withdraws_a_product() {
    let seller = SOUK.user();
    let created = SOUK.product(&seller);
    let id = created.body["productId"].as_str().unwrap();
    let input = json!({"productId": id, "sellerId": seller.id, "version": 1, "run": 0});
    assert_eq!(execute(&input), "SUCCEEDED");
    SOUK.get(created.header("location")).problem(404, "not-found");
    assert_eq!(SOUK.items_in(&keys::product_partition(id.parse().unwrap())), 0);
}

/// If the seller changes the product between the function's check and the machine's first step, it is not deleted.
#[test]
fn a_product_that_was_changed_since_stays() {
    let seller = SOUK.user();
    let created = SOUK.product(&seller);
    let path = created.header("location");
    let change = seller.call("PATCH", path).header("if-match", "\"1\"").json(&json!({"stock": 1}));
    assert_eq!(SOUK.send(change).status, 200);
    let input =
        json!({"productId": created.body["productId"], "sellerId": seller.id, "version": 1, "run": 0});
    assert_eq!(execute(&input), "SUCCEEDED");
    assert_eq!(SOUK.get(path).body["stock"], 1);
}

/// With one page of reviews for each execution. The first one is stopped, and the sweep goes on after it.
#[test]
fn a_deletion_goes_on_in_new_executions_until_nothing_is_left() {
    let own = OwnInstance::start("e2e-runs", &["ReviewPagesPerRun=1"]);
    let souk = &own.souk;
    let seller = souk.user();
    let created = souk.product(&seller);
    let (id, path) = (created.body["productId"].as_str().unwrap(), created.header("location"));
    review(souk, id, 350);
    souk.put_faults(&json!([{"function": "review-purge", "kind": "hold", "id": "held"}]));
    assert_eq!(souk.send(seller.call("DELETE", path).header("if-match", "\"1\"")).status, 204);
    eventually("the first page is held", || souk.held("held") > 0);
    let swept = |settled: u64| json!({"found": 1, "settled": settled, "failed": 0, "stuck": 0});
    assert_eq!(souk.invoke("product-sweep", &json!({})), swept(0), "the execution is running");
    souk.stop(MACHINE, &format!("{id}-1-0"));
    souk.put_faults(&json!([]));
    souk.send(seller.call("DELETE", path).header("if-match", "\"1\"")).problem(404, "not-found");

    assert_eq!(souk.invoke("product-sweep", &json!({})), swept(1));
    eventually("nothing of the product is left", || {
        souk.items_in(&keys::product_partition(id.parse().unwrap())) == 0
    });
    eventually("nothing is unfinished", || souk.invoke("product-sweep", &json!({}))["found"] == 0);
    for run in [1, 2] {
        let states = souk.entered(MACHINE, &format!("{id}-1-{run}"));
        assert!(states.contains(&"NextRunGoesOn".to_owned()), "{run}: {states:?}");
    }
}

/// Runs an execution of the machine and returns its final status.
fn execute(input: &Value) -> String {
    let start =
        json!({"stateMachineArn": SOUK.output("ProductDeleteMachineArn"), "input": input.to_string()});
    let started = SOUK.aws("states", "AWSStepFunctions.StartExecution", &start);
    let describe = || {
        let execution = json!({"executionArn": started["executionArn"]});
        SOUK.aws("states", "AWSStepFunctions.DescribeExecution", &execution)["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    eventually("the execution ends", || describe() != "RUNNING");
    describe()
}
