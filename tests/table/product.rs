//! Single products.

use domain::{Error, idempotency::Creation, rating::Rating};
use serde_json::json;
use table::{Hidden, keys};
use tests::{
    Fault, World,
    samples::{listed, next_version, product, product_id, stock, withdrawal},
};

const NO_PRODUCT: Error = Error::NotFound { what: "product" };
const WRITER: table::Writer = table::Writer([9; 16]);
const ID: &str = "019aa251-4b48-7000-8000-000000000001";
const SELLER: &str = "019aa251-4760-7000-8000-000000000007";

#[tokio::test]
async fn a_product_is_stored_with_its_stock_an_empty_rating_and_a_place_among_its_sellers() {
    let world = World::new();
    let mut product = product(1, 7);
    product.draft.image_url = Some("https://a.example/1.jpg".parse().unwrap());
    let create = world.table.create_product(&product, stock(3), None);
    assert_eq!(world.measure("create_product", "without a key", create).await, Ok(Creation::New));
    assert_eq!(
        world.item(&keys::product(product.product_id)),
        json!({
            "pk": {"S": format!("PRODUCT#{ID}")}, "sk": {"S": "PRODUCT"},
            "gsi1pk": {"S": format!("PRODUCT#{ID}")}, "gsi1sk": {"S": "~PRODUCT"},
            "gsi2pk": {"S": "CATEGORY#food"}, "gsi2sk": {"S": ID},
            "productId": {"S": ID}, "sellerId": {"S": SELLER},
            "name": {"S": "Jam 1"}, "description": {"S": "Sweet."}, "category": {"S": "food"},
            "price": {"M": {"amount": {"N": "650"}, "currency": {"S": "SGD"}}},
            "imageUrl": {"S": "https://a.example/1.jpg"}, "version": {"N": "1"},
            "createdAt": {"S": "2025-11-20T17:30:28.040Z"}, "updatedAt": {"S": "2025-11-20T17:30:28.040Z"},
        })
    );
    assert_eq!(
        world.item(&keys::stock(product.product_id)),
        json!({
            "pk": {"S": format!("PRODUCT#{ID}")}, "sk": {"S": "PRODUCT#STOCK"},
            "gsi1pk": {"S": format!("PRODUCT#{ID}")}, "gsi1sk": {"S": "~STOCK"},
            "stock": {"N": "3"}, "version": {"N": "1"}, "updatedAt": {"S": "2025-11-20T17:30:28.040Z"},
        })
    );
    assert_eq!(
        world.item(&keys::rating(product.product_id)),
        json!({
            "pk": {"S": format!("PRODUCT#{ID}")}, "sk": {"S": "RATING"},
            "gsi1pk": {"S": format!("PRODUCT#{ID}")}, "gsi1sk": {"S": "~RATING"},
        })
    );
    assert_eq!(
        world.item(&keys::sellers_product(product.seller_id, product.product_id)),
        json!({
            "pk": {"S": format!("USER#{SELLER}")}, "sk": {"S": format!("PRODUCT#{ID}")},
            "gsi2pk": {"S": "NEWEST"}, "gsi2sk": {"S": ID},
        })
    );
    let counter = json!({"pk": {"S": "CATEGORIES#1"}, "sk": {"S": "food"}, "products": {"N": "1"}});
    assert_eq!(world.item(&keys::category_count(&product.draft.category, '1')), counter);
    assert_eq!(world.items().len(), 5);
}

#[tokio::test]
async fn a_product_reads_as_it_was_published() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    let read = world.measure("product", "", world.table.product(product.product_id)).await;
    assert_eq!(read, Ok(product));
}

#[tokio::test]
async fn a_product_is_listed_with_its_rating_and_without_its_reviews() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.put_rating(product.product_id, [0, 0, 1, 0, 2]);
    for number in 0..30 {
        world.put_review(product.product_id, number);
    }
    let read = world.measure("listed_product", "", world.table.listed_product(product.product_id)).await;
    assert_eq!(read, Ok(listed(product, Rating { histogram: [0, 0, 1, 0, 2] })));
}

#[tokio::test]
async fn a_product_is_read_consistently_before_it_is_changed() {
    let world = World::new();
    let _ = world.table.product(product_id(1)).await;
    let _ = world.table.listed_product(product_id(1)).await;
    assert!(world.wire.take_sent().iter().all(|request| request.body["ConsistentRead"] == true));
}

#[tokio::test]
async fn a_product_that_is_not_there_or_hidden_is_not_found() {
    let world = World::new();
    let product = product(1, 7);
    assert_eq!(world.table.product(product.product_id).await, Err(NO_PRODUCT));
    assert_eq!(world.table.listed_product(product.product_id).await, Err(NO_PRODUCT));
    world.publish(&product).await;
    assert_eq!(world.table.hide_product(withdrawal(product.product_id, 1)).await, Ok(Hidden::Done));
    assert_eq!(world.table.product(product.product_id).await, Err(NO_PRODUCT));
    assert_eq!(world.table.listed_product(product.product_id).await, Err(NO_PRODUCT));
}

#[tokio::test]
async fn a_publication_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    world.wire.next("TransactWriteItems", [Fault::AnswerLost, Fault::AnswerLost]);
    assert_eq!(world.table.create_product(&product(1, 7), stock(3), None).await, Ok(Creation::New));
    assert_eq!(world.items().len(), 5);
}

#[tokio::test]
async fn an_id_is_never_given_to_two_products() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let before = world.items();
    let again = world.table.create_product(&product(1, 8), stock(3), None).await;
    assert!(matches!(again, Err(Error::Internal { .. })), "{again:?}");
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn the_next_version_takes_the_place_of_the_one_before() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    let next = next_version(&product);
    let replace = world.table.replace_product(&next, &next.draft.category, WRITER);
    assert_eq!(world.measure("replace_product", "in the same category", replace).await, Ok(()));
    let stored = world.item(&keys::product(product.product_id));
    assert_eq!(stored["writer"], json!({"B": "CQkJCQkJCQkJCQkJCQkJCQ=="}));
    assert_eq!(stored["version"], json!({"N": "2"}));
    assert_eq!(world.table.product(product.product_id).await, Ok(next));
}

#[tokio::test]
async fn a_member_that_was_removed_leaves_nothing_behind() {
    let world = World::new();
    let mut product = product(1, 7);
    product.draft.image_url = Some("https://a.example/1.jpg".parse().unwrap());
    world.publish(&product).await;
    let mut next = next_version(&product);
    next.draft.image_url = None;
    world.table.replace_product(&next, &next.draft.category, WRITER).await.unwrap();
    assert_eq!(world.item(&keys::product(product.product_id)).get("imageUrl"), None);
    assert_eq!(world.table.product(product.product_id).await, Ok(next));
}

#[tokio::test]
async fn a_product_moves_to_another_category() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    let mut next = next_version(&product);
    next.draft.category = "gifts".parse().unwrap();
    let replace = world.table.replace_product(&next, &product.draft.category, WRITER);
    assert_eq!(world.measure("replace_product", "to another category", replace).await, Ok(()));
    let stored = world.item(&keys::product(product.product_id));
    assert_eq!(stored["gsi2pk"], json!({"S": "CATEGORY#gifts"}));
}

#[tokio::test]
async fn a_version_replaces_only_the_one_before_it() {
    let world = World::new();
    let first = product(1, 7);
    world.publish(&first).await;
    let second = next_version(&first);
    world.table.replace_product(&second, &second.draft.category, WRITER).await.unwrap();
    let before = world.items();

    let late = next_version(&first);
    let stale = world.table.replace_product(&late, &late.draft.category, table::Writer([1; 16]));
    assert_eq!(world.measure("replace_product", "stale", stale).await, Err(Error::Stale { current: 2 }));
    let ahead = next_version(&next_version(&second));
    assert_eq!(
        world.table.replace_product(&ahead, &ahead.draft.category, table::Writer([1; 16])).await,
        Err(Error::Stale { current: 2 })
    );
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_has_succeeded() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.wire.next("PutItem", [Fault::AnswerLost]);
    let next = next_version(&product);
    assert_eq!(world.table.replace_product(&next, &next.draft.category, WRITER).await, Ok(()));
    assert_eq!(world.table.product(product.product_id).await, Ok(next));
}

#[tokio::test]
async fn the_same_change_by_somebody_else_is_stale() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    let next = next_version(&product);
    world.table.replace_product(&next, &next.draft.category, WRITER).await.unwrap();
    let other = world.table.replace_product(&next, &next.draft.category, table::Writer([8; 16])).await;
    assert_eq!(other, Err(Error::Stale { current: 2 }));
}

#[tokio::test]
async fn a_product_that_is_gone_or_hidden_is_not_replaced() {
    let world = World::new();
    let product = product(1, 7);
    let next = next_version(&product);
    assert_eq!(world.table.replace_product(&next, &next.draft.category, WRITER).await, Err(NO_PRODUCT));
    assert_eq!(world.items().len(), 0);
    world.publish(&product).await;
    world.table.hide_product(withdrawal(product.product_id, 1)).await.unwrap();
    assert_eq!(world.table.replace_product(&next, &next.draft.category, WRITER).await, Err(NO_PRODUCT));
    assert_eq!(world.item(&keys::product(product.product_id))["hidden"], json!({"N": "1"}));
}
