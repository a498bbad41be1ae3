//! `/products/{productId}/reviews`, and the ratings that follow from them.

use crate::{
    orders,
    souk::{Answer, Call, SOUK, User, at_once, eventually, unique},
};
use serde_json::{Value, json};

fn draft(rating: u64) -> Value {
    json!({"rating": rating, "title": "Sweet", "body": "Like at home."})
}

fn review(author: &User, product: &str, body: &Value) -> Answer {
    SOUK.send(author.call("POST", &format!("{product}/reviews")).json(body))
}

fn product() -> String {
    SOUK.product(&SOUK.user()).header("location").to_owned()
}

fn rating(product: &str) -> Value {
    SOUK.get(product).body["rating"].clone()
}

fn stars(items: &Value) -> Vec<u64> {
    items.as_array().unwrap().iter().map(|review| review["rating"].as_u64().unwrap()).collect()
}

#[test]
fn write_read_change_remove_and_the_rating_follows() {
    let (author, product) = (SOUK.user(), product());
    let created = review(&author, &product, &draft(5));
    let path = created.header("location").to_owned();
    let version = created.body["version"].as_u64().unwrap();
    let [first, second] = [version, version + 1].map(|version| format!("\"{version}\""));
    assert_eq!((created.status, created.header("etag")), (201, first.as_str()));
    assert_eq!(
        (path, &created.body["authorId"]),
        (format!("{product}/reviews/{}", author.id), &json!(author.id))
    );
    let path = created.header("location");
    eventually("the product shows the rating", || rating(&product)["average"] == json!(5.0));
    let page = SOUK.get(&product);
    assert_eq!(page.body["reviews"]["items"], json!([created.body]));
    assert!(page.header("etag").starts_with("\"1."), "{page:?}");

    let changed =
        SOUK.send(author.call("PATCH", path).header("if-match", &first).json(&json!({"rating": 2})));
    assert_eq!(
        (changed.status, changed.header("etag"), &changed.body["title"]),
        (200, second.as_str(), &json!("Sweet"))
    );
    eventually("the rating follows", || {
        rating(&product)
            == json!({"average": 2.0, "count": 1, "histogram": {"1": 0, "2": 1, "3": 0, "4": 0, "5": 0}})
    });
    assert_eq!(SOUK.send(author.call("DELETE", path).header("if-match", &second)).status, 204);
    eventually("nothing is left", || rating(&product)["count"] == 0 && rating(&product)["average"].is_null());
    let category = SOUK.get(&product).body["category"].as_str().unwrap().to_owned();
    assert_eq!(
        SOUK.get(&format!("/products?category={category}&limit=1")).body["items"][0]["rating"]["histogram"]["5"],
        0
    );
    SOUK.send(author.call("DELETE", path).header("if-match", &second)).problem(404, "not-found");
    assert_eq!(review(&author, &product, &draft(1)).status, 201);
    for stale in [&first, &second] {
        let change = author.call("PATCH", path).header("if-match", stale).json(&json!({"rating": 5}));
        SOUK.send(change).problem(412, "precondition-failed");
        SOUK.send(author.call("DELETE", path).header("if-match", stale)).problem(412, "precondition-failed");
    }
}

#[test]
fn a_second_review_of_a_product_is_refused_and_the_first_stays() {
    let (author, product) = (SOUK.user(), product());
    assert_eq!(review(&author, &product, &draft(4)).status, 201);
    review(&author, &product, &draft(1)).problem(409, "conflict");
    let answers = at_once(20, |_| review(&author, &product, &draft(1)).status);
    assert_eq!(answers, [409; 20]);
    assert_eq!(stars(&SOUK.get(&format!("{product}/reviews")).body["items"]), [4]);
}

#[test]
fn a_request_with_a_key_writes_one_review() {
    let (author, product, key) = (SOUK.user(), product(), unique());
    let create = |body: &Value| {
        let call = author.call("POST", &format!("{product}/reviews")).header("idempotency-key", &key);
        SOUK.send(call.json(body))
    };
    let answers = at_once(10, |_| create(&draft(3)));
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.body == answers[0].body),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    create(&draft(4)).problem(422, "idempotency-mismatch");
}

#[test]
fn only_the_author_having_seen_the_present_version_may_change_it() {
    let (author, other, product) = (SOUK.user(), SOUK.user(), product());
    let created = review(&author, &product, &draft(4));
    let (path, first) = (created.header("location").to_owned(), created.header("etag"));
    let second = format!("\"{}\"", created.body["version"].as_u64().unwrap() + 1);
    let change = |user: &User, seen: &str| {
        SOUK.send(user.call("PATCH", &path).header("if-match", seen).json(&json!({"rating": 1})))
    };
    change(&other, first).problem(403, "forbidden");
    SOUK.send(other.call("DELETE", &path).header("if-match", "*")).problem(403, "forbidden");
    SOUK.send(author.call("PATCH", &path).json(&json!({}))).problem(428, "precondition-required");
    assert_eq!(change(&author, &second).problem(412, "precondition-failed").header("etag"), first);
    let answers = at_once(50, |_| change(&author, first).status);
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    SOUK.send(author.call("DELETE", &path).header("if-match", first)).problem(412, "precondition-failed");
    assert_eq!(SOUK.send(author.call("DELETE", &path).header("if-match", &second)).status, 204);
}

#[test]
fn bad_reviews_name_every_fault_and_what_is_not_there_is_not_found() {
    let (author, product) = (SOUK.user(), product());
    let bad = json!({"rating": 6, "title": " ", "body": 7, "version": 1});
    assert_eq!(
        review(&author, &product, &bad).problem(400, "validation").faults(),
        ["/body", "/rating", "/title", "/version"]
    );
    let nowhere = "/products/018bcfe5-6800-7000-8000-000000000000";
    review(&author, nowhere, &draft(5)).problem(404, "not-found");
    SOUK.get(&format!("{nowhere}/reviews")).problem(404, "not-found");
    SOUK.send(
        author
            .call("PATCH", &format!("{product}/reviews/{}", author.id))
            .header("if-match", "*")
            .json(&json!({})),
    )
    .problem(404, "not-found");
    assert_eq!(SOUK.get(&format!("{product}/reviews")).body, json!({"items": []}));
    assert_eq!(
        SOUK.get(&format!("{product}/reviews?stars=6&colour=red")).problem(400, "validation").faults(),
        ["colour", "stars"]
    );
}

#[test]
fn long_texts_come_back_as_they_were_written() {
    let (author, product) = (SOUK.user(), product());
    let body = "Süß wie \u{1f965}.\n".repeat(700);
    let written = json!({"rating": 5, "title": "Long", "body": body.trim_end()});
    assert_eq!(review(&author, &product, &written).status, 201);
    assert_eq!(SOUK.get(&format!("{product}/reviews")).body["items"][0]["body"], body.trim_end());
}

#[test]
fn reviews_are_paged_newest_first_all_or_by_stars() {
    let product = product();
    let authors: Vec<User> = (0..14).map(|_| SOUK.user()).collect();
    for (number, author) in authors.iter().enumerate() {
        let rating = if number % 5 == 0 { 1 } else { 5 };
        assert_eq!(review(author, &product, &draft(rating)).status, 201);
    }
    let walk = |first: String| SOUK.walk(&first, "authorId").concat();
    let newest_first: Vec<_> = authors.iter().rev().map(|author| author.id.clone()).collect();
    assert_eq!(walk(format!("{product}/reviews?limit=4")), newest_first);
    let ones: Vec<_> = [10, 5, 0].map(|number: usize| authors[number].id.clone()).into();
    assert_eq!(walk(format!("{product}/reviews?stars=1&limit=2")), ones);

    eventually("the page shows ten reviews", || {
        stars(&SOUK.get(&product).body["reviews"]["items"]).len() == 10
    });
    let cursor = SOUK.get(&product).body["reviews"]["nextCursor"].as_str().unwrap().to_owned();
    assert_eq!(walk(format!("{product}/reviews?cursor={cursor}")), newest_first[10..]);
}

/// review-create may read a product, and write its review after the product was hidden for deletion. No review is left
/// in either order.
#[test]
fn no_review_survives_its_product() {
    let seller = SOUK.user();
    let authors: Vec<User> = (0..12).map(|_| SOUK.user()).collect();
    let product = SOUK.product(&seller);
    let path = product.header("location");
    let answers = at_once(authors.len() + 1, |number| match authors.get(number) {
        Some(author) => review(author, path, &draft(5)).status,
        None => SOUK.send(seller.call("DELETE", path).header("if-match", "*")).status,
    });
    assert!(answers[..authors.len()].iter().all(|status| [201, 404].contains(status)), "{answers:?}");
    assert_eq!(answers[authors.len()], 204);
    let partition =
        table::keys::product_partition(product.body["productId"].as_str().unwrap().parse().unwrap());
    eventually("nothing of the product is left", || SOUK.items_in(&partition) == 0);
    SOUK.send(Call::new("GET", &format!("{path}/reviews"))).problem(404, "not-found");
}

#[test]
fn a_review_says_whether_its_author_has_bought_the_product() {
    let (seller, buyer, other) = (SOUK.user(), SOUK.user(), SOUK.user());
    let product = SOUK.product(&seller);
    let path = product.header("location").to_owned();
    review(&seller, &path, &draft(5)).problem(403, "forbidden");
    assert_eq!(review(&other, &path, &draft(5)).body["verifiedPurchase"], false);
    let early = review(&buyer, &path, &draft(4));
    assert_eq!((early.status, &early.body["verifiedPurchase"]), (201, &json!(false)));

    let buy = || {
        let placed = orders::place(&SOUK, &buyer, &unique(), &orders::order(&[(&product, 1)], orders::VISA));
        assert_eq!((placed.status, &placed.body["status"]), (201, &json!("confirmed")), "{placed:?}");
        placed.header("location").to_owned()
    };
    let (first, second) = (buy(), buy());
    let change = || {
        let call = buyer.call("PATCH", early.header("location")).header("if-match", "*");
        let changed = SOUK.send(call.json(&json!({"title": "Bought"})));
        assert_eq!(changed.status, 200, "{changed:?}");
        changed.body["verifiedPurchase"] == true
    };
    eventually("a changed review says that it was bought", change);
    let listed = |filter: &str| SOUK.walk(&format!("{path}/reviews?{filter}&limit=1"), "authorId").concat();
    assert_eq!(listed("verifiedPurchase=true"), [buyer.id.as_str()]);
    assert_eq!(listed("stars=5&verifiedPurchase=true"), [""; 0]);
    let wrong = SOUK.get(&format!("{path}/reviews?verifiedPurchase=false"));
    assert_eq!(wrong.problem(400, "validation").faults(), ["verifiedPurchase"]);

    for (order, ends_verified) in [(first, true), (second, false)] {
        let cancelled = SOUK.send(buyer.call("POST", &format!("{order}/cancellation")));
        assert!(matches!(cancelled.status, 200 | 202), "{cancelled:?}");
        let id = order.rsplit_once('/').unwrap().1.to_owned();
        eventually("the cancellation is done", || orders::is_settled(&SOUK, &id));
        let verified = listed("verifiedPurchase=true");
        assert_eq!(!verified.is_empty(), ends_verified, "{verified:?}");
    }
}
