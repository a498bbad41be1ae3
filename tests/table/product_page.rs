//! A product's page.

use domain::{
    Error,
    page::Page,
    product::{ProductPage, ReviewPosition},
    rating::Rating,
    review::Review,
};
use serde_json::{Value, json};
use std::sync::Arc;
use table::keys;
use tests::{
    Fault, Sent, World,
    samples::{listed, next_version, overlaid, overlay, product, product_id, withdrawal},
};

const NO_PRODUCT: Error = Error::NotFound { what: "product" };

/// Stores sample reviews of product 1 and returns them, newest first.
fn reviews(world: &World, count: u32) -> Vec<Review> {
    let mut reviews: Vec<_> = (0..count).map(|number| world.put_review(product_id(1), number)).collect();
    reviews.reverse();
    reviews
}

fn position(review: &Review) -> ReviewPosition {
    ReviewPosition { created_at: review.created_at, author_id: review.author_id }
}

#[tokio::test]
async fn a_product_without_reviews_is_one_query() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    let page =
        world.measure("product_page", "without reviews", world.table.product_page(product_id(1), 10)).await;
    let reviews = Page { items: Vec::new(), next: None };
    assert_eq!(page, Ok(ProductPage { listed: listed(product, Rating::default()), reviews }));
}

#[tokio::test]
async fn ten_reviews_are_all_shown_and_nothing_follows() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let items = reviews(&world, 10);
    let page = world.measure("product_page", "with ten reviews", world.table.product_page(product_id(1), 10));
    assert_eq!(page.await.unwrap().reviews, Page { items, next: None });
}

#[tokio::test]
async fn a_page_of_a_product_in_an_experiment_is_the_same_query() {
    let world = World::new();
    let product = overlaid(&product(1, 7), Some(overlay(590)), 0);
    world.publish(&product).await;
    reviews(&world, 10);
    let page = world.table.product_page(product_id(1), 10);
    let page = world.measure("product_page", "in an experiment", page).await.unwrap();
    assert_eq!(page.listed.product, product);
}

#[tokio::test]
async fn a_page_of_eleven_reviews_has_ten_and_a_next_page() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let mut items = reviews(&world, 11);
    items.truncate(10);
    let page = world.table.product_page(product_id(1), 10).await.unwrap();
    let next = items.last().map(position);
    assert_eq!(page.reviews, Page { items, next });
}

#[tokio::test]
async fn a_page_reads_only_the_reviews_that_it_shows() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.put_rating(product_id(1), [0, 100, 0, 0, 200]);
    let mut items = reviews(&world, 300);
    items.truncate(10);
    let page = world.table.product_page(product_id(1), 10);
    let page = world.measure("product_page", "with many reviews", page).await.unwrap();
    let rating = Rating { histogram: [0, 100, 0, 0, 200] };
    assert_eq!(page.listed, listed(product, rating));
    let next = items.last().map(position);
    assert_eq!(page.reviews, Page { items, next });
}

#[tokio::test]
async fn no_reviews_at_all_can_be_asked_for() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    reviews(&world, 3);
    let page = world.table.product_page(product_id(1), 0).await.unwrap();
    assert_eq!(page.reviews.items, []);
}

#[tokio::test]
async fn the_page_shows_the_present_version() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    let next = next_version(&product);
    world.table.replace_product(&next, &next.draft.category, table::Writer([1; 16])).await.unwrap();
    let page = world.table.product_page(product_id(1), 10).await.unwrap();
    assert_eq!(page.listed.product, next);
}

#[tokio::test]
async fn a_product_that_is_not_there_is_not_found() {
    let world = World::new();
    let page = world.measure("product_page", "not there", world.table.product_page(product_id(1), 10)).await;
    assert_eq!(page, Err(NO_PRODUCT));
}

#[tokio::test]
async fn a_hidden_product_is_not_found_whatever_hangs_on_it() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    reviews(&world, 5);
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    assert_eq!(world.table.product_page(product_id(1), 10).await, Err(NO_PRODUCT));
}

#[tokio::test]
async fn a_deleted_product_is_not_found_although_a_review_slipped_in() {
    let world = World::new();
    reviews(&world, 1);
    assert_eq!(world.table.product_page(product_id(1), 10).await, Err(NO_PRODUCT));
}

/// A Query of the index that does not return these items yet, because the index is eventually consistent.
fn index_behind(hidden: &'static [&'static str]) -> Fault {
    Fault::Altered(Arc::new(|answer: &mut Value| {
        let items = answer["Items"].as_array_mut().unwrap();
        items.retain(|item| !hidden.contains(&item["gsi1sk"]["S"].as_str().unwrap()));
    }))
}

#[tokio::test]
async fn a_product_that_the_index_does_not_show_yet_is_read_from_the_table() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.wire.next("Query", [index_behind(&[keys::PAGE_PRODUCT, keys::PAGE_STOCK, keys::PAGE_RATING])]);
    let page = world.table.product_page(product_id(1), 10);
    let page = world.measure("product_page", "not in the index yet", page).await.unwrap();
    assert_eq!(page.listed, listed(product, Rating::default()));
    assert_eq!(page.reviews, Page { items: Vec::new(), next: None });
}

#[tokio::test]
async fn a_stock_that_the_index_does_not_show_yet_is_read_from_the_table() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.wire.next("Query", [index_behind(&[keys::PAGE_STOCK])]);
    let page = world.table.product_page(product_id(1), 10).await.unwrap();
    assert_eq!(page.listed, listed(product, Rating::default()));
}

#[tokio::test]
async fn a_rating_that_the_index_does_not_show_yet_is_empty() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.wire.next("Query", [index_behind(&[keys::PAGE_RATING])]);
    let page = world.table.product_page(product_id(1), 10).await.unwrap();
    assert_eq!(page.listed, listed(product, Rating::default()));
    assert_eq!(world.measured().requests, "Query gsi1 PRODUCT#");
}

#[tokio::test]
async fn an_item_that_does_not_read_is_our_mistake_and_named_in_the_log() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let on_page = keys::product_on_page(product_id(1));
    let broken = json!({"gsi1pk": {"S": on_page.pk}, "gsi1sk": {"S": on_page.sk}, "version": {"S": "one"}});
    world.put(&keys::product(product_id(1)), &broken);
    let page = world.table.product_page(product_id(1), 10).await;
    let Err(Error::Internal { cause }) = page else { panic!("{page:?}") };
    assert!(cause.contains(&format!("PRODUCT#{} PRODUCT", product_id(1))), "{cause}");
}

#[tokio::test]
async fn the_present_page_is_the_page_that_readers_see_in_the_end() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    world.put_rating(product_id(1), [0, 100, 0, 0, 200]);
    for count in [0, 10, 300] {
        reviews(&world, count);
        let page = world.table.product_page(product_id(1), 10).await;
        assert_eq!(world.table.present_page(product_id(1), 10).await, page, "{count}");
    }
    let page = Box::pin(world.table.present_page(product_id(1), 10));
    world.measure("present_page", "with many reviews", page).await.unwrap();
}

/// The cache must not store an old page: only the reviews may be eventually consistent.
#[tokio::test]
async fn the_present_page_shows_product_stock_and_rating_before_the_index_does() {
    let world = World::new();
    let product = product(1, 7);
    world.publish(&product).await;
    world.put_rating(product_id(1), [0, 0, 0, 0, 1]);
    let items = reviews(&world, 1);
    world.wire.take_sent();
    let page = world.table.present_page(product_id(1), 10).await.unwrap();
    let sent = world.wire.take_sent();
    let behind = |sent: &Sent| sent.body["ConsistentRead"] != true;
    assert!(sent.iter().all(|sent| behind(sent) == (sent.body["IndexName"] == "gsi1")), "{sent:?}");

    let rating = Rating { histogram: [0, 0, 0, 0, 1] };
    assert_eq!(page.listed, listed(product, rating));
    assert_eq!(page.reviews, Page { items, next: None });
}

#[tokio::test]
async fn a_product_that_is_not_there_or_hidden_has_no_present_page() {
    let world = World::new();
    assert_eq!(world.table.present_page(product_id(1), 10).await, Err(NO_PRODUCT));
    world.publish(&product(1, 7)).await;
    reviews(&world, 3);
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    assert_eq!(world.table.present_page(product_id(1), 10).await, Err(NO_PRODUCT));
}
