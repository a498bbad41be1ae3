//! The reviews of an author: their limit and their list.

use crate::together;
use domain::{
    Error, Timestamp,
    id::ProductId,
    limit::Limit,
    page::{Page, PageSize},
    review::{Review, ReviewEntry},
};
use std::sync::Arc;
use table::{Writer, keys};
use tests::{
    Fault, World,
    samples::{later, now, product_id, review, user_id},
};

const AUTHOR: u32 = 5;
const LIMIT: Limit = Limit { name: "user", quota: 3, window_seconds: 900 };
const GENEROUS: Limit = Limit { quota: 1000, ..LIMIT };

/// Whether a review of this product is within the limit, and how many more are.
async fn admit(world: &World, product: u32, at: Timestamp) -> Result<(bool, u64), Error> {
    let admitted = world.table.admit_review(user_id(AUTHOR), product_id(product), LIMIT, at).await?;
    Ok((admitted.allowed, admitted.remaining))
}

/// Writes a review of this product.
async fn write(world: &World, product: u32, at: Timestamp) -> Review {
    let author_name = Some("Ada Lovelace".to_owned());
    let sample = review(product_id(product), product);
    let review = Review { author_id: user_id(AUTHOR), author_name, created_at: at, updated_at: at, ..sample };
    world.table.admit_review(user_id(AUTHOR), review.product_id, GENEROUS, at).await.unwrap();
    world.table.create_review(&review, None, Writer([1; 16])).await.unwrap();
    review
}

/// Reviews of products 1 to `count`, three in each window.
async fn reviewed(count: u32) -> (World, Vec<Review>) {
    let (world, mut reviews) = (World::new(), Vec::new());
    for number in 1..=count {
        reviews.push(write(&world, number, later(u64::from(number) * 300)).await);
    }
    (world, reviews)
}

async fn page(world: &World, size: i64, after: Option<ReviewEntry>) -> Page<Review, ReviewEntry> {
    world.table.reviews_by(user_id(AUTHOR), PageSize::new(size).unwrap(), after).await.unwrap()
}

/// All reviews, in pages of this size.
async fn pages(world: &World, size: i64) -> Vec<Review> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = page(world, size, after).await;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn new_and_changed_reviews_of_a_window_are_limited_and_listed() {
    let world = World::new();
    let first = world.table.admit_review(user_id(AUTHOR), product_id(1), LIMIT, now());
    let first = world.measure("admit_review", "", first).await.unwrap();
    assert_eq!((first.allowed, first.remaining, first.reset_seconds), (true, 2, 873));
    assert_eq!(admit(&world, 1, later(1)).await, Ok((true, 1)));
    assert_eq!(admit(&world, 2, later(872)).await, Ok((true, 0)));
    for _ in 0..2 {
        let fourth = world.table.admit_review(user_id(AUTHOR), product_id(3), LIMIT, later(2));
        let fourth = world.measure("admit_review", "over the limit", fourth).await.unwrap();
        assert_eq!((fourth.allowed, fourth.remaining), (false, 0));
    }
    let window = world.item(&keys::authors_reviews(user_id(AUTHOR), 1_763_659_800));
    assert_eq!((&window["used"]["N"], window["products"]["BS"].as_array().unwrap().len()), (&"3".into(), 2));
    assert!(window["ttl"].is_null(), "the list stays");
    assert_eq!(admit(&world, 3, later(873)).await, Ok((true, 2)), "the next window");
}

/// As many as a window allows by default, each of another product.
#[tokio::test]
async fn the_products_of_a_window_fit_into_one_write_unit() {
    let world = World::new();
    let limit = Limit { quota: 50, ..LIMIT };
    for number in 1..50 {
        world.table.admit_review(user_id(AUTHOR), product_id(number), limit, now()).await.unwrap();
    }
    let last = world.table.admit_review(user_id(AUTHOR), product_id(50), limit, now());
    let last = world.measure("admit_review", "the last of 50", last).await.unwrap();
    assert_eq!((last.allowed, last.remaining), (true, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reviews_at_the_same_instant_do_not_exceed_the_limit() {
    let world = Arc::new(World::new());
    let admitted = together(&world, 20, async |world, number| admit(&world, number, now()).await.unwrap().0);
    assert_eq!(admitted.await.into_iter().filter(|admitted| *admitted).count(), 3);
}

#[tokio::test]
async fn a_count_whose_answer_was_lost_makes_the_limit_stricter() {
    let world = World::new();
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    assert_eq!(admit(&world, 1, now()).await, Ok((true, 1)));
}

#[tokio::test]
async fn the_reviews_of_an_author_are_read_page_by_page() {
    let (world, reviews) = reviewed(30).await;
    let by = |after| world.table.reviews_by(user_id(AUTHOR), PageSize::DEFAULT, after);
    let page = world.measure("reviews_by", "20 of 30", by(None)).await.unwrap();
    assert_eq!(page.items, reviews[..20]);
    let last = page.next.unwrap();
    assert_eq!(last.product_id, reviews[19].product_id);
    let page = world.measure("reviews_by", "the rest", by(Some(last))).await.unwrap();
    assert_eq!(page, Page { items: reviews[20..].to_vec(), next: None });
    for size in [1, 2, 3, 4, 29, 30, 31] {
        assert_eq!(pages(&world, size).await, reviews, "{size}");
    }
    let none = world.table.reviews_by(user_id(6), PageSize::DEFAULT, None).await.unwrap();
    assert_eq!(none, Page { items: Vec::new(), next: None });
}

#[tokio::test]
async fn a_review_is_listed_once_and_a_deleted_one_is_left_out() {
    let (world, reviews) = reviewed(4).await;
    world.table.delete_review(&reviews[1]).await.unwrap();
    // Changed in a later window, and asked for in vain.
    for product in [1, 3] {
        admit(&world, product, later(9000)).await.unwrap();
    }
    for size in [1, 2, 20] {
        assert_eq!(
            pages(&world, size).await,
            [reviews[0].clone(), reviews[2].clone(), reviews[3].clone()],
            "{size}"
        );
    }
    let again = write(&world, 2, later(9900)).await;
    let listed: Vec<ProductId> = pages(&world, 20).await.iter().map(|review| review.product_id).collect();
    assert_eq!(listed.iter().filter(|id| **id == again.product_id).count(), 1);
}

#[tokio::test]
async fn anonymous_reviews_keep_everything_but_the_name() {
    let (world, reviews) = reviewed(30).await;
    let anonymise = || world.table.anonymise_reviews(user_id(AUTHOR));
    assert_eq!(world.measure("anonymise_reviews", "30 of 11 windows", anonymise()).await, Ok(false));
    assert_eq!(world.measure("anonymise_reviews", "none", anonymise()).await, Ok(false));
    for review in reviews {
        let found = world.table.review(review.product_id, review.author_id).await.unwrap();
        assert_eq!(found, Review { author_name: None, version: review.version + 1, ..review });
    }
    let left = world.items().iter().any(|item| item["pk"]["S"].as_str().unwrap().starts_with("REVIEWS#"));
    assert!(!left, "nothing lists the reviews any more");
}

/// A page ends after 20 windows, or after the window with its hundredth product.
#[tokio::test]
async fn many_reviews_lose_their_names_page_by_page() {
    let world = World::new();
    let mut reviews = Vec::new();
    for number in 0..110 {
        let window = if number < 90 { number / 30 } else { number };
        reviews.push(write(&world, number, later(u64::from(window) * 900)).await);
    }
    let mut calls = 1;
    while world.table.anonymise_reviews(user_id(AUTHOR)).await.unwrap() {
        calls += 1;
    }
    assert_eq!(calls, 2);
    for review in reviews {
        let found = world.table.review(review.product_id, review.author_id).await.unwrap();
        assert_eq!(found.author_name, None);
    }
}
