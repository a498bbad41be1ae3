//! `If-Match: *` names any current version, so that no change by other requests at the same time makes it fail with 412.

use crate::souk::{SOUK, User, at_once};
use serde_json::json;

/// Fewer than the number of times that a change is tried, each of which fails only because another one was made.
const REQUESTS: usize = 6;

fn review_of(author: &User) -> String {
    let product = SOUK.product(&SOUK.user()).header("location").to_owned();
    let review = author.call("POST", &format!("{product}/reviews"));
    let created = SOUK.send(review.json(&json!({"rating": 1, "title": "Tea", "body": "Good."})));
    assert_eq!(created.status, 201, "{created:?}");
    created.header("location").to_owned()
}

/// Sends a DELETE and changes of a resource of any version at the same time. Returns the statuses, that of the DELETE first.
fn delete_among_changes(user: &User, path: &str, member: &str) -> Vec<u16> {
    let statuses = at_once(REQUESTS, |number| {
        let call = if number == 0 {
            user.call("DELETE", path)
        } else {
            user.call("PATCH", path).json(&json!({member: format!("Text {number}")}))
        };
        SOUK.send(call.header("if-match", "*")).status
    });
    assert_eq!(SOUK.send(user.call("DELETE", path).header("if-match", "*")).status, 404);
    statuses
}

#[test]
fn changes_of_a_review_at_the_same_time_all_succeed() {
    let author = SOUK.user();
    let path = review_of(&author);
    let answers = at_once(REQUESTS, |number| {
        let change = author.call("PATCH", &path).json(&json!({"title": format!("Title {number}")}));
        SOUK.send(change.header("if-match", "*"))
    });
    let mut versions: Vec<_> = answers.iter().map(|answer| answer.body["version"].as_u64()).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), REQUESTS, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}

#[test]
fn a_deletion_among_changes_succeeds() {
    let author = SOUK.user();
    let path = review_of(&author);
    let of_review = delete_among_changes(&author, &path, "title");
    let seller = SOUK.user();
    let product = SOUK.product(&seller).header("location").to_owned();
    let of_product = delete_among_changes(&seller, &product, "name");
    for statuses in [of_review, of_product] {
        assert_eq!(statuses[0], 204, "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| [200, 404].contains(status)), "{statuses:?}");
    }
}
