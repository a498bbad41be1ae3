//! `/products`.

use crate::souk::{Answer, Call, SOUK, User, at_once, draft, eventually, unique};
use serde_json::{Value, json};

fn path(product: &Answer) -> String {
    product.header("location").to_owned()
}

fn patch(seller: &User, path: &str, seen: &str, change: &Value) -> Answer {
    SOUK.send(seller.call("PATCH", path).header("if-match", seen).json(change))
}

#[test]
fn publish_read_change_withdraw() {
    let seller = SOUK.user();
    let created = SOUK.product(&seller);
    assert_eq!(created.header("etag"), "\"1\"");
    let read = SOUK.get(&path(&created));
    assert_eq!(read.status, 200);
    assert!(read.header("etag").starts_with("\"1."), "{read:?}");
    assert_eq!(read.body["reviews"], json!({"items": []}));
    let mut page = read.body.clone();
    page.as_object_mut().unwrap().remove("reviews");
    assert_eq!(page, created.body);

    let changed = patch(
        &seller,
        &path(&created),
        read.header("etag"),
        &json!({"price": {"amount": 700}, "imageUrl": "https://a.example/1.jpg"}),
    );
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    assert_eq!(changed.body["price"], json!({"amount": 700, "currency": "SGD"}));
    assert_eq!(changed.body["name"], created.body["name"]);
    let bare = patch(&seller, &path(&created), "\"2\"", &json!({"imageUrl": null}));
    assert_eq!((bare.status, bare.body.get("imageUrl")), (200, None));

    let withdrawn = SOUK.send(seller.call("DELETE", &path(&created)).header("if-match", "\"3\""));
    assert_eq!((withdrawn.status, withdrawn.text.as_str()), (204, ""));
    SOUK.get(&path(&created)).problem(404, "not-found");
    SOUK.send(seller.call("DELETE", &path(&created)).header("if-match", "\"3\"")).problem(404, "not-found");
}

#[test]
fn a_change_needs_the_present_version() {
    let seller = SOUK.user();
    let path = path(&SOUK.product(&seller));
    SOUK.send(seller.call("PATCH", &path).json(&json!({"stock": 1}))).problem(428, "precondition-required");
    SOUK.send(seller.call("DELETE", &path)).problem(428, "precondition-required");
    for seen in ["\"2\"", "W/\"1\"", "\"x\""] {
        let stale = patch(&seller, &path, seen, &json!({"stock": 1}));
        assert_eq!(stale.problem(412, "precondition-failed").header("etag"), "\"1\"", "{seen}");
    }
    for malformed in ["1", "\"1", "\"1\",", ""] {
        let answer = patch(&seller, &path, malformed, &json!({"stock": 1}));
        assert_eq!(answer.problem(400, "validation").faults(), ["If-Match"], "{malformed}");
    }
    assert_eq!(patch(&seller, &path, "\"7\", \"1\"", &json!({"stock": 1})).status, 200);
    assert_eq!(patch(&seller, &path, "*", &json!({"stock": 2})).status, 200);
}

#[test]
fn somebody_elses_product_can_be_read_and_not_written() {
    let (seller, other) = (SOUK.user(), SOUK.user());
    let path = path(&SOUK.product(&seller));
    assert_eq!(SOUK.send(other.call("GET", &path)).status, 200);
    patch(&other, &path, "\"1\"", &json!({"stock": 0})).problem(403, "forbidden");
    SOUK.send(other.call("DELETE", &path).header("if-match", "*")).problem(403, "forbidden");
    assert_eq!(SOUK.get(&path).body["stock"], 3);
}

#[test]
fn a_known_representation_is_not_sent_again() {
    let seller = SOUK.user();
    let path = path(&SOUK.product(&seller));
    let tag = SOUK.get(&path).header("etag").to_owned();
    let known = |tag: &str| SOUK.send(Call::new("GET", &path).header("if-none-match", tag));
    for known_as in [tag.clone(), format!("W/{tag}")] {
        let not_modified = known(&known_as);
        assert_eq!(
            (not_modified.status, not_modified.text.as_str(), not_modified.header("etag")),
            (304, "", tag.as_str())
        );
    }
    for other in ["\"1\"", "\"2\""] {
        assert_eq!(known(other).status, 200, "{other}");
    }
}

#[test]
fn one_of_200_concurrent_changes_of_one_version_succeeds() {
    let seller = SOUK.user();
    let path = path(&SOUK.product(&seller));
    let answers =
        at_once(200, |number| patch(&seller, &path, "\"1\"", &json!({"name": format!("Name {number}")})));
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 199));
    for answer in lost {
        assert_eq!(answer.problem(412, "precondition-failed").header("etag"), "\"2\"");
    }
    assert_eq!(SOUK.get(&path).body["name"], won[0].body["name"]);
}

#[test]
fn changes_that_read_and_write_lose_nothing() {
    let (writers, changes) = (8, 8);
    let seller = SOUK.user();
    let path = path(&SOUK.product(&seller));
    let add_one = || loop {
        let read = SOUK.get(&path);
        let amount = read.body["price"]["amount"].as_u64().unwrap() + 1;
        let answer = patch(&seller, &path, read.header("etag"), &json!({"price": {"amount": amount}}));
        match answer.status {
            200 => break answer.body["version"].as_u64().unwrap(),
            412 => {}
            _ => panic!("{answer:?}"),
        }
    };
    let versions = at_once(writers, |_| (0..changes).map(|_| add_one()).collect::<Vec<_>>());
    let mut versions: Vec<_> = versions.into_iter().flatten().collect();
    versions.sort_unstable();
    let total = u64::try_from(writers * changes).unwrap();
    assert_eq!(versions, (2..=total + 1).collect::<Vec<_>>());
    assert_eq!(SOUK.get(&path).body["price"]["amount"], 650 + total);
}

#[test]
fn a_request_with_a_key_is_carried_out_once() {
    let seller = SOUK.user();
    let key = unique();
    let create =
        |body: &Value| SOUK.send(seller.call("POST", "/products").header("idempotency-key", &key).json(body));
    let answers = at_once(20, |_| create(&draft()));
    let location = path(&answers[0]);
    for answer in &answers {
        assert_eq!(
            (answer.status, path(answer), answer.header("etag")),
            (201, location.clone(), "\"1\""),
            "{answer:?}"
        );
        assert_eq!(answer.body, answers[0].body);
    }
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    assert_eq!(
        SOUK.get(&format!("/products?seller={}", seller.id)).body["items"].as_array().unwrap().len(),
        1
    );

    let mut other = draft();
    other["stock"] = 4.into();
    create(&other).problem(422, "idempotency-mismatch");
    let somebody_else = SOUK.user();
    let theirs =
        SOUK.send(somebody_else.call("POST", "/products").header("idempotency-key", &key).json(&draft()));
    assert_ne!(path(&theirs), location);
}

#[test]
fn lists_are_paged_newest_first_without_gap_or_repeat() {
    let seller = SOUK.user();
    let category = unique();
    let mut created = Vec::new();
    for _ in 0..7 {
        let mut draft = draft();
        draft["category"] = format!("{category} & more").into();
        let answer = SOUK.send(seller.call("POST", "/products").json(&draft));
        created.insert(0, answer.body["productId"].as_str().unwrap().to_owned());
    }
    for first in [
        format!("/products?category={category}+%26+more&limit=3"),
        format!("/products?seller={}&limit=3", seller.id),
    ] {
        let pages = SOUK.walk(&first, "productId");
        assert_eq!((pages.concat(), pages.len()), (created.clone(), 3));
    }
}

#[test]
fn a_cursor_is_good_for_its_own_list_alone() {
    let seller = SOUK.user();
    let category = unique();
    for _ in 0..2 {
        let mut draft = draft();
        draft["category"] = category.clone().into();
        SOUK.send(seller.call("POST", "/products").json(&draft));
    }
    let page = SOUK.get(&format!("/products?category={category}&limit=1"));
    let cursor = page.body["nextCursor"].as_str().unwrap();
    assert_eq!(SOUK.get(&format!("/products?category={category}&cursor={cursor}")).status, 200);
    for elsewhere in [format!("category={category}x&"), format!("seller={}&", seller.id), String::new()] {
        let answer = SOUK.get(&format!("/products?{elsewhere}cursor={cursor}"));
        assert_eq!(answer.problem(400, "validation").faults(), ["cursor"]);
    }
    let forged = SOUK.get(&format!("/products?category={category}&cursor=AAAA"));
    assert_eq!(forged.problem(400, "validation").faults(), ["cursor"]);
}

/// The number of a category's products, on whatever page of the list it is; 0 if it is not listed.
fn listed_products(category: &str) -> u64 {
    let mut page = SOUK.get("/categories?limit=100");
    loop {
        assert_eq!((page.status, page.header("cache-control")), (200, "public, max-age=60"));
        let items = page.body["items"].as_array().unwrap();
        if let Some(found) = items.iter().find(|item| item["category"] == category) {
            return found["products"].as_u64().unwrap();
        }
        let Some(cursor) = page.body["nextCursor"].as_str() else { return 0 };
        page = SOUK.get(&format!("/categories?limit=100&cursor={cursor}"));
    }
}

#[test]
fn categories_have_the_number_of_their_products() {
    let seller = SOUK.user();
    let [tea, cups] = ["tea", "cups"].map(|name| format!("{name} {}", unique()));
    let mut draft = draft();
    draft["category"] = tea.clone().into();
    let once = unique();
    let publish =
        |key: &str| SOUK.send(seller.call("POST", "/products").header("idempotency-key", key).json(&draft));
    let (first, second) = (publish(&once), publish(&unique()));
    assert_eq!((path(&publish(&once)), listed_products(&tea)), (path(&first), 2));
    let moved = patch(&seller, &path(&second), "*", &json!({"category": cups, "stock": 9}));
    assert_eq!(moved.status, 200);
    assert_eq!((listed_products(&tea), listed_products(&cups)), (1, 1));
    eventually("a list that nobody changes meanwhile is not sent again", || {
        let tag = SOUK.get("/categories?limit=1").header("etag").to_owned();
        SOUK.send(Call::new("GET", "/categories?limit=1").header("if-none-match", &tag)).status == 304
    });

    let digit = first.body["productId"].as_str().unwrap().chars().last().unwrap();
    let update = json!({
        "TableName": SOUK.output("TableName"),
        "Key": {"pk": {"S": format!("CATEGORIES#{digit}")}, "sk": {"S": tea}},
        "UpdateExpression": "ADD products :seven", "ExpressionAttributeValues": {":seven": {"N": "7"}},
    });
    let distort = || SOUK.aws("dynamodb", "DynamoDB_20120810.UpdateItem", &update);
    distort();
    let audit = |repair: bool| {
        SOUK.invoke("rating-audit", &json!({"category": tea, "repair": repair, "quietSeconds": 0}))
    };
    assert_eq!(audit(false)["category"], json!({"stored": 8, "counted": 1, "repaired": false}));
    assert_eq!(audit(true)["category"], json!({"stored": 8, "counted": 1, "repaired": true}));
    assert_eq!((audit(true), listed_products(&tea)), (json!({"checked": 1, "drifted": []}), 1));
    for product in [first, second] {
        assert_eq!(SOUK.send(seller.call("DELETE", &path(&product)).header("if-match", "*")).status, 204);
    }
    assert_eq!((listed_products(&tea), listed_products(&cups)), (0, 0));
    distort();
    assert_eq!(audit(true)["category"], json!({"stored": 7, "counted": 0, "repaired": true}));
    assert_eq!(listed_products(&tea), 0);
    let forged = SOUK.get("/categories?cursor=AAAA&limit=0&seller=x");
    assert_eq!(forged.problem(400, "validation").faults(), ["cursor", "limit", "seller"]);
}
