//! Single reviews.

use domain::{Error, review::Review};
use serde_json::{Value, json};
use std::sync::Arc;
use table::{Reviewed, keys};
use tests::{
    Fault, World,
    samples::{next_review, product, product_id, review, stars, user_id, withdrawal},
};

const NO_PRODUCT: Error = Error::NotFound { what: "product" };
const NO_REVIEW: Error = Error::NotFound { what: "review" };
const TWICE: Error = Error::Conflict { detail: "You have reviewed this product already." };
const WRITER: table::Writer = table::Writer([9; 16]);
const PRODUCT: &str = "019aa251-4b48-7000-8000-000000000001";
const AUTHOR: &str = "019aa251-4760-7000-8000-0000fffffffd";

/// A review of product 1 with this text.
fn with_text(number: u32, body: &str) -> Review {
    let mut review = review(product_id(1), number);
    review.draft.body = body.parse().unwrap();
    review
}

fn stored(world: &World, review: &Review) -> Value {
    world.item(&keys::review(review.product_id, review.author_id))
}

async fn read(world: &World, review: &Review) -> Result<Review, Error> {
    world.table.review(review.product_id, review.author_id).await
}

/// A world with this review.
async fn world_with(review: &Review) -> World {
    let world = World::new();
    assert_eq!(world.table.create_review(review, None, table::Writer([1; 16])).await, Ok(Reviewed::Created));
    world
}

/// The size of an item as DynamoDB bills it: the bytes of all names and values. A number of up to two digits has two
/// bytes.
fn bytes_of(item: &Value) -> usize {
    let size = |(name, value): (&String, &Value)| {
        let value = match value.as_object().unwrap().iter().next().unwrap() {
            (kind, Value::String(text)) if kind == "S" => text.len(),
            (kind, Value::String(text)) if kind == "B" => text.len() / 4 * 3 - text.matches('=').count(),
            (_, Value::Bool(_)) => 1,
            _ => 2,
        };
        name.len() + value
    };
    item.as_object().unwrap().iter().map(size).sum()
}

#[tokio::test]
async fn a_product_that_can_be_reviewed_is_half_a_read_unit() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let require = world.table.require_product(product_id(1));
    assert_eq!(world.measure("require_product", "", require).await, Ok(()));
    let seller = world.table.seller_of(product_id(1));
    assert_eq!(world.measure("seller_of", "", seller).await, Ok(user_id(7)));
}

#[tokio::test]
async fn a_product_that_is_not_there_or_hidden_cannot_be_reviewed() {
    let world = World::new();
    let require = world.table.require_product(product_id(1));
    assert_eq!(world.measure("require_product", "not there", require).await, Err(NO_PRODUCT));
    let seller = world.table.seller_of(product_id(1));
    assert_eq!(world.measure("seller_of", "not there", seller).await, Err(NO_PRODUCT));
    world.publish(&product(1, 7)).await;
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    assert_eq!(world.table.require_product(product_id(1)).await, Err(NO_PRODUCT));
}

#[tokio::test]
async fn a_product_that_is_not_everywhere_yet_can_be_reviewed() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let nothing_yet = Fault::Altered(Arc::new(|answer: &mut Value| answer["Item"] = Value::Null));
    world.wire.next("GetItem", [nothing_yet]);
    assert_eq!(world.table.require_product(product_id(1)).await, Ok(()));
    let consistent: Vec<_> =
        world.wire.take_sent().iter().map(|request| request.body["ConsistentRead"] == true).collect();
    assert_eq!(consistent, [false, true]);
}

#[tokio::test]
async fn a_review_is_stored_under_its_author_and_on_its_products_page() {
    let world = World::new();
    let review = review(product_id(1), 2);
    let create = world.table.create_review(&review, None, WRITER);
    assert_eq!(world.measure("create_review", "without a key", create).await, Ok(Reviewed::Created));
    assert_eq!(
        world.items(),
        [json!({
            "pk": {"S": format!("PRODUCT#{PRODUCT}")}, "sk": {"S": format!("REVIEW#{AUTHOR}")},
            "gsi1pk": {"S": format!("PRODUCT#{PRODUCT}")},
            "gsi1sk": {"S": format!("REVIEW#2025-11-20T17:30:29.040Z#{AUTHOR}")},
            "productId": {"S": PRODUCT}, "authorId": {"S": AUTHOR},
            "rating": {"N": "3"}, "title": {"S": "Review 2"}, "body": {"S": "Good."},
            "verifiedPurchase": {"BOOL": false}, "version": {"N": "1"}, "writer": {"B": "CQkJCQkJCQkJCQkJCQkJCQ=="},
            "createdAt": {"S": "2025-11-20T17:30:29.040Z"}, "updatedAt": {"S": "2025-11-20T17:30:29.040Z"},
        })]
    );
}

#[tokio::test]
async fn a_long_text_is_stored_compressed_and_all_else_as_it_is() {
    let review = with_text(2, "Sweet as ever. ".repeat(600).trim_end());
    let (long, short) = (world_with(&review).await, world_with(&with_text(2, "")).await);
    let (mut long_item, mut short_item) = (stored(&long, &review), stored(&short, &review));
    let text = long_item["bodyZstd"]["B"].take();
    // "KLUv/" is the base64 prefix of the magic number of a zstd frame.
    assert!(text.as_str().is_some_and(|text| text.starts_with("KLUv/") && text.len() < 100), "{text}");
    long_item.as_object_mut().unwrap().remove("bodyZstd");
    assert_eq!(short_item.as_object_mut().unwrap().remove("body"), Some(json!({"S": ""})));
    assert_eq!(long_item, short_item);
}

#[tokio::test]
async fn a_review_reads_as_it_was_written_however_long() {
    for body in [String::new(), "a\n\tb".to_owned(), "x".repeat(1024), "🥥".repeat(257), "🥥".repeat(10_000)]
    {
        let review = with_text(1, &body);
        let world = world_with(&review).await;
        assert_eq!(read(&world, &review).await, Ok(review));
    }
}

#[tokio::test]
async fn a_review_of_1_kb_is_two_write_units_with_its_place_on_the_page() {
    let world = World::new();
    let empty = stored(&world_with(&with_text(1, "")).await, &with_text(1, ""));
    let room = 1024 - bytes_of(&empty);
    let fits = with_text(1, &"x".repeat(room));
    let create = world.table.create_review(&fits, None, WRITER);
    world.measure("create_review", "of 1 KB in all", create).await.unwrap();
    assert_eq!(bytes_of(&stored(&world, &fits)), 1024);
    let larger = with_text(2, &"x".repeat(room + 1));
    let create = world.table.create_review(&larger, None, WRITER);
    world.measure("create_review", "of more than 1 KB in all", create).await.unwrap();
}

#[tokio::test]
async fn the_longest_review_is_as_small_as_a_short_one_when_it_compresses_well() {
    let world = World::new();
    let longest = with_text(1, &"Sweet as ever. ".repeat(667)[..10_000]);
    let create = world.table.create_review(&longest, None, WRITER);
    world.measure("create_review", "of 10 000 characters that compress", create).await.unwrap();
}

#[tokio::test]
async fn a_second_review_by_the_same_user_is_refused_and_the_first_left_alone() {
    let first = review(product_id(1), 1);
    let world = world_with(&first).await;
    let before = world.items();
    let mut second = next_review(&first);
    second.version = 1;
    let create = world.table.create_review(&second, None, WRITER);
    assert_eq!(world.measure("create_review", "a second one", create).await, Err(TWICE));
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn users_review_many_products_and_products_have_many_reviews() {
    let world = World::new();
    for (product, number) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let review = review(product_id(product), number);
        assert_eq!(world.table.create_review(&review, None, WRITER).await, Ok(Reviewed::Created));
    }
    assert_eq!(world.items().len(), 4);
}

#[tokio::test]
async fn a_review_whose_answer_was_lost_is_created_and_no_second_one() {
    let world = World::new();
    let review = review(product_id(1), 1);
    world.wire.next("PutItem", [Fault::AnswerLost, Fault::AnswerLost]);
    assert_eq!(world.table.create_review(&review, None, WRITER).await, Ok(Reviewed::Created));
    assert_eq!(world.wire.take_sent().len(), 3);
    assert_eq!(read(&world, &review).await, Ok(review));
}

#[tokio::test]
async fn a_review_is_read_consistently() {
    let review = review(product_id(1), 1);
    let world = world_with(&review).await;
    world.wire.take_sent();
    let read = world.table.review(review.product_id, review.author_id);
    assert_eq!(world.measure("review", "", read).await, Ok(review.clone()));
    let _ = self::read(&world, &review).await;
    assert_eq!(world.wire.take_sent()[0].body["ConsistentRead"], true);
}

#[tokio::test]
async fn a_review_that_is_not_there_is_not_found() {
    let world = world_with(&review(product_id(1), 1)).await;
    assert_eq!(world.table.review(product_id(1), user_id(1)).await, Err(NO_REVIEW));
    assert_eq!(read(&world, &review(product_id(2), 1)).await, Err(NO_REVIEW));
}

#[tokio::test]
async fn a_text_that_does_not_decompress_is_our_mistake() {
    let review = with_text(1, &"x".repeat(2000));
    let world = world_with(&review).await;
    let key = keys::review(review.product_id, review.author_id);
    for broken in ["AAAA", "KLUv/QAAAA=="] {
        let mut item = stored(&world, &review);
        item["bodyZstd"] = json!({"B": broken});
        world.put(&key, &item);
        let read = read(&world, &review).await;
        assert!(matches!(&read, Err(Error::Internal { cause }) if cause.contains("decompress")), "{read:?}");
    }
}

#[tokio::test]
async fn the_next_version_takes_the_place_of_the_one_before() {
    let first = review(product_id(1), 2);
    let world = world_with(&first).await;
    let mut expected = stored(&world, &first);
    let mut next = next_review(&first);
    next.draft.body = "After all.".parse().unwrap();
    let replace = world.table.replace_review(&next, WRITER);
    assert_eq!(world.measure("replace_review", "", replace).await, Ok(()));

    expected["rating"] = json!({"N": "2"});
    expected["body"] = json!({"S": "After all."});
    expected["version"] = json!({"N": "2"});
    expected["updatedAt"] = json!({"S": "2025-11-20T17:30:29.040Z"});
    expected["writer"] = json!({"B": "CQkJCQkJCQkJCQkJCQkJCQ=="});
    assert_eq!(world.items(), [expected], "its place on the page is the one it had");
    assert_eq!(read(&world, &first).await, Ok(next));
}

#[tokio::test]
async fn a_text_that_grows_or_shrinks_is_stored_once() {
    let mut review = with_text(1, "short");
    let world = world_with(&review).await;
    for (body, attribute) in [("x".repeat(2000), "bodyZstd"), ("short again".to_owned(), "body")] {
        review = next_review(&review);
        review.draft.body = body.parse().unwrap();
        world.table.replace_review(&review, WRITER).await.unwrap();
        let item = stored(&world, &review);
        let names: Vec<_> =
            ["body", "bodyZstd"].into_iter().filter(|name| item.get(name).is_some()).collect();
        assert_eq!(names, [attribute]);
        assert_eq!(read(&world, &review).await.as_ref(), Ok(&review));
    }
}

#[tokio::test]
async fn a_version_replaces_only_the_one_before_it() {
    let first = review(product_id(1), 1);
    let world = world_with(&first).await;
    let second = next_review(&first);
    world.table.replace_review(&second, WRITER).await.unwrap();
    let before = world.items();

    let late = next_review(&first);
    let stale = world.table.replace_review(&late, table::Writer([1; 16]));
    assert_eq!(world.measure("replace_review", "stale", stale).await, Err(Error::Stale { current: 2 }));
    let ahead = next_review(&next_review(&second));
    assert_eq!(
        world.table.replace_review(&ahead, table::Writer([1; 16])).await,
        Err(Error::Stale { current: 2 })
    );
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_has_succeeded() {
    let first = review(product_id(1), 1);
    let world = world_with(&first).await;
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    let next = next_review(&first);
    assert_eq!(world.table.replace_review(&next, WRITER).await, Ok(()));
    assert_eq!(read(&world, &first).await, Ok(next));
}

#[tokio::test]
async fn the_same_change_by_another_request_is_stale() {
    let first = review(product_id(1), 1);
    let world = world_with(&first).await;
    let next = next_review(&first);
    world.table.replace_review(&next, WRITER).await.unwrap();
    let other = world.table.replace_review(&next, table::Writer([8; 16])).await;
    assert_eq!(other, Err(Error::Stale { current: 2 }));
}

#[tokio::test]
async fn a_review_that_is_gone_is_not_replaced() {
    let world = World::new();
    let next = next_review(&review(product_id(1), 1));
    assert_eq!(world.table.replace_review(&next, WRITER).await, Err(NO_REVIEW));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn a_deleted_review_leaves_nothing_and_can_be_written_anew() {
    let first = review(product_id(1), 1);
    let world = world_with(&first).await;
    let other = review(product_id(1), 2);
    world.table.create_review(&other, None, WRITER).await.unwrap();
    let delete = world.table.delete_review(&first);
    assert_eq!(world.measure("delete_review", "", delete).await, Ok(()));
    assert_eq!(read(&world, &first).await, Err(NO_REVIEW));
    assert_eq!(world.items().len(), 1);
    assert_eq!(world.table.create_review(&first, None, WRITER).await, Ok(Reviewed::Created));
}

#[tokio::test]
async fn a_review_that_is_gone_has_been_deleted() {
    let review = review(product_id(1), 1);
    let world = world_with(&review).await;
    world.wire.next("DeleteItem", [Fault::AnswerLost]);
    assert_eq!(world.table.delete_review(&review).await, Ok(()));
    let delete = world.table.delete_review(&review);
    assert_eq!(world.measure("delete_review", "deleted before", delete).await, Ok(()));
    assert_eq!(world.items().len(), 0);
}

#[tokio::test]
async fn another_version_than_the_one_that_was_seen_is_not_deleted() {
    let first = review(product_id(1), 1);
    let world = world_with(&first).await;
    let second = next_review(&first);
    world.table.replace_review(&second, WRITER).await.unwrap();
    let before = world.items();
    let delete = world.table.delete_review(&first);
    assert_eq!(world.measure("delete_review", "stale", delete).await, Err(Error::Stale { current: 2 }));
    let ahead = world.table.delete_review(&next_review(&second)).await;
    assert_eq!(ahead, Err(Error::Stale { current: 2 }));
    assert_eq!(world.items(), before);
}

/// The steps of the state machine, with a review whose request began before its product was hidden.
#[tokio::test]
async fn a_review_on_its_way_while_its_product_is_deleted_does_not_survive() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.table.require_product(product_id(1)).await.unwrap();
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    world.table.purge_reviews(product_id(1)).await.unwrap();
    let mut review = review(product_id(1), 1);
    review.draft.rating = stars(5);
    assert_eq!(world.table.create_review(&review, None, WRITER).await, Ok(Reviewed::Created));
    world.table.purge_reviews(product_id(1)).await.unwrap();
    world.table.purge_product(product_id(1), user_id(7)).await.unwrap();
    assert_eq!(world.items().len(), 0);
}
