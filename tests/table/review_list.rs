//! Lists of reviews.

use domain::{
    Error,
    page::{Page, PageSize},
    product::ReviewPosition,
    review::{Review, ReviewFilter, Stars},
};
use tests::{
    World,
    samples::{later, product, product_id, review, stars, user_id},
};

/// The maximum number of Queries for a page, however rare the stars are.
const MOST_QUERIES: usize = 5;

/// The filter for this number of stars.
fn only(stars: Stars) -> ReviewFilter {
    ReviewFilter { stars: Some(stars), ..ReviewFilter::default() }
}

fn size(size: i64) -> PageSize {
    PageSize::new(size).unwrap()
}

/// Stores sample reviews of product 1 and returns them, newest first.
fn reviews(world: &World, count: u32) -> Vec<Review> {
    let mut reviews: Vec<_> = (0..count).map(|number| world.put_review(product_id(1), number)).collect();
    reviews.reverse();
    reviews
}

async fn create(world: &World, review: &Review) {
    world.table.create_review(review, None, table::Writer([1; 16])).await.unwrap();
}

fn position(review: &Review) -> ReviewPosition {
    ReviewPosition { created_at: review.created_at, author_id: review.author_id }
}

/// Reads all pages of a list; returns the size of each page, and all reviews.
async fn read_to_the_end(
    world: &World,
    filter: ReviewFilter,
    size: PageSize,
    mut after: Option<ReviewPosition>,
) -> (Vec<usize>, Vec<Review>) {
    let (mut sizes, mut all) = (Vec::new(), Vec::new());
    loop {
        world.wire.take_sent();
        let page = world.table.reviews_of(product_id(1), filter, size, after).await.unwrap();
        let queries = world.wire.take_sent().len();
        assert!(queries <= MOST_QUERIES, "{queries} queries for one page");
        sizes.push(page.items.len());
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return (sizes, all);
        }
    }
}

#[tokio::test]
async fn a_product_without_reviews_has_an_empty_list() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let empty = Page { items: Vec::new(), next: None };
    for wanted in [ReviewFilter::default(), only(stars(5))] {
        let list = world.table.reviews_of(product_id(1), wanted, size(20), None);
        assert_eq!(world.measure("reviews_of", "no review", list).await, Ok(empty.clone()));
    }
}

#[tokio::test]
async fn a_list_has_the_reviews_of_its_product_alone_newest_first() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let items = reviews(&world, 3);
    world.put_review(product_id(2), 1);
    let list = world.table.reviews_of(product_id(1), ReviewFilter::default(), size(20), None).await;
    assert_eq!(list, Ok(Page { items, next: None }));
}

#[tokio::test]
async fn pages_of_every_size_neither_skip_nor_repeat() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let all = reviews(&world, 45);
    for (of, sizes) in
        [(1, vec![1; 45]), (2, [vec![2; 22], vec![1]].concat()), (20, vec![20, 20, 5]), (100, vec![45])]
    {
        assert_eq!(
            read_to_the_end(&world, ReviewFilter::default(), size(of), None).await,
            (sizes, all.clone()),
            "{of}"
        );
    }
}

/// A full last page has no next page, so that no client requests an empty page.
#[tokio::test]
async fn pages_that_end_with_the_list_have_no_next() {
    let world = World::new();
    let all = reviews(&world, 40);
    for of in [1, 2, 20, 40, 100] {
        let (sizes, read) = read_to_the_end(&world, ReviewFilter::default(), size(of), None).await;
        assert!(!sizes.contains(&0), "{sizes:?}");
        assert_eq!(read, all);
    }
}

#[tokio::test]
async fn reviews_of_the_same_instant_are_all_listed_once() {
    let world = World::new();
    let mut all = Vec::new();
    for number in 0..45 {
        let mut review = review(product_id(1), number);
        review.created_at = later((number / 15).into());
        create(&world, &review).await;
        all.push(review);
    }
    all.sort_by_key(|review| std::cmp::Reverse((review.created_at, review.author_id)));
    for of in [1, 2, 20, 100] {
        assert_eq!(read_to_the_end(&world, ReviewFilter::default(), size(of), None).await.1, all, "{of}");
    }
}

#[tokio::test]
async fn a_page_of_twenty_reviews_costs_one_query() {
    let world = World::new();
    let all = reviews(&world, 45);
    let list = world.table.reviews_of(product_id(1), ReviewFilter::default(), size(20), None);
    let page = world.measure("reviews_of", "20 of 45", list).await.unwrap();
    assert_eq!(page.next, Some(position(&all[19])));
    let list = world.table.reviews_of(product_id(1), ReviewFilter::default(), size(20), page.next);
    world.measure("reviews_of", "20 of the rest", list).await.unwrap();
    let list = world.table.reviews_of(product_id(1), ReviewFilter::default(), size(100), None);
    world.measure("reviews_of", "45 of 45", list).await.unwrap();
}

#[tokio::test]
async fn a_list_goes_on_where_the_products_page_ends() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let all = reviews(&world, 45);
    for of in [1, 2, 20, 100] {
        let page = world.table.product_page(product_id(1), 10).await.unwrap();
        let mut read = page.reviews.items;
        read.extend(read_to_the_end(&world, ReviewFilter::default(), size(of), page.reviews.next).await.1);
        assert_eq!(read, all, "{of}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_it_was_although_reviews_come_and_go() {
    for of in [1, 2, 20] {
        let world = World::new();
        let all = reviews(&world, 45);
        let (mut read, mut after, mut next_number) = (Vec::new(), None, 45);
        loop {
            let page = world
                .table
                .reviews_of(product_id(1), ReviewFilter::default(), size(of), after)
                .await
                .unwrap();
            // A newer review is created, and the review at the cursor is deleted.
            create(&world, &review(product_id(1), next_number)).await;
            next_number += 1;
            if let Some(last) = page.items.last() {
                world.table.delete_review(last).await.unwrap();
            }
            read.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(read, all, "{of}");
    }
}

/// A changed review keeps its position in the list.
#[tokio::test]
async fn a_review_that_changes_meanwhile_is_neither_skipped_nor_repeated() {
    let world = World::new();
    let all = reviews(&world, 6);
    let first = world.table.reviews_of(product_id(1), ReviewFilter::default(), size(3), None).await.unwrap();
    for changed in [&all[1], &all[4]] {
        world
            .table
            .replace_review(&tests::samples::next_review(changed), table::Writer([1; 16]))
            .await
            .unwrap();
    }
    let rest =
        world.table.reviews_of(product_id(1), ReviewFilter::default(), size(3), first.next).await.unwrap();
    let authors = |reviews: &[Review]| reviews.iter().map(|review| review.author_id).collect::<Vec<_>>();
    assert_eq!(authors(&rest.items), authors(&all[3..]));
    assert_eq!(rest.items[1].version, 2);
}

#[tokio::test]
async fn a_list_by_stars_has_those_alone_in_the_same_order() {
    let world = World::new();
    let all = reviews(&world, 45);
    for wanted in 1..=5 {
        let wanted = stars(wanted);
        let expected: Vec<_> = all.iter().filter(|review| review.draft.rating == wanted).cloned().collect();
        assert_eq!(expected.len(), 9);
        for of in [1, 2, 20, 100] {
            let (_, read) = read_to_the_end(&world, only(wanted), size(of), None).await;
            assert_eq!(read, expected, "{of}");
        }
    }
}

#[tokio::test]
async fn a_review_is_listed_by_the_stars_it_has_now() {
    let world = World::new();
    let all = reviews(&world, 5);
    let changed = tests::samples::next_review(&all[0]);
    world.table.replace_review(&changed, table::Writer([1; 16])).await.unwrap();
    let list = async |wanted| read_to_the_end(&world, only(wanted), size(20), None).await.1;
    assert_eq!(list(all[0].draft.rating).await, []);
    assert_eq!(list(changed.draft.rating).await, [changed, all[1].clone()]);
}

/// One Query reads a hundred reviews, which fills a page of common stars.
#[tokio::test]
async fn a_page_of_common_stars_is_one_query() {
    let world = World::new();
    reviews(&world, 300);
    let list = world.table.reviews_of(product_id(1), only(stars(5)), size(20), None);
    let page = world.measure("reviews_of", "20 by stars of 300", list).await.unwrap();
    assert_eq!(page.items.len(), 20);
    assert!(page.next.is_some());
}

/// A page of rare stars is short rather than slow, and the next page continues where it stopped reading.
#[tokio::test]
async fn a_page_of_rare_stars_is_short_and_goes_on_to_the_end() {
    let world = World::new();
    let mut oldest = None;
    for number in 0..1200 {
        let mut review = review(product_id(1), number);
        review.draft.rating = stars(if number == 0 { 1 } else { 5 });
        create(&world, &review).await;
        oldest.get_or_insert(review);
    }
    let list = world.table.reviews_of(product_id(1), only(stars(1)), size(20), None);
    let page = world.measure("reviews_of", "by rare stars of 1200", list).await.unwrap();
    assert_eq!(page.items, []);
    let looked_at = position(&review(product_id(1), 700));
    assert_eq!(page.next, Some(looked_at));
    let (sizes, read) = read_to_the_end(&world, only(stars(1)), size(20), None).await;
    assert_eq!((sizes, read), (vec![0, 0, 1], oldest.into_iter().collect()));
    assert_eq!(read_to_the_end(&world, only(stars(2)), size(20), None).await, (vec![0, 0, 0], Vec::new()));
}

/// If a page is full before all read reviews are used, the next page continues after the page's last review.
#[tokio::test]
async fn a_page_by_stars_that_is_full_goes_on_after_its_last_review() {
    let world = World::new();
    let all = reviews(&world, 250);
    let wanted = all[0].draft.rating;
    let expected: Vec<_> = all.into_iter().filter(|review| review.draft.rating == wanted).collect();
    let (sizes, read) = read_to_the_end(&world, only(wanted), size(7), None).await;
    assert_eq!(read, expected);
    assert_eq!((sizes[0], sizes.iter().sum::<usize>()), (7, 50));
}

/// A Query returns at most 1 MB, so a page of long reviews needs more than one.
#[tokio::test]
async fn a_page_of_long_reviews_is_full_all_the_same() {
    let world = World::new();
    let mut all = Vec::new();
    let mut random = 1_u64;
    for number in 0..101 {
        let mut review = review(product_id(1), number);
        // Pseudo-random characters, which hardly compress.
        let letter = |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from_u32(0x4e00 + u32::try_from(random >> 40).unwrap() % 0x5000).unwrap()
        };
        review.draft.body = (0..10_000).map(letter).collect::<String>().parse().unwrap();
        create(&world, &review).await;
        all.insert(0, review);
    }
    world.wire.take_sent();
    let page = world.table.reviews_of(product_id(1), ReviewFilter::default(), size(100), None).await.unwrap();
    assert!((2..=MOST_QUERIES).contains(&world.wire.take_sent().len()));
    assert_eq!((page.next, page.items.len()), (Some(position(&all[99])), 100));
    assert_eq!(read_to_the_end(&world, ReviewFilter::default(), size(100), None).await, (vec![100, 1], all));
}

/// A position without a review is valid: the list continues with older reviews of the same product.
#[tokio::test]
async fn a_position_that_never_was_goes_on_below_it() {
    let world = World::new();
    let all = reviews(&world, 6);
    let between = ReviewPosition { created_at: later(3), author_id: user_id(0) };
    let page = world
        .table
        .reviews_of(product_id(1), ReviewFilter::default(), size(20), Some(between))
        .await
        .unwrap();
    assert_eq!(page.items, all[3..]);
    let beginning = ReviewPosition { created_at: later(0), author_id: user_id(0) };
    let page =
        world.table.reviews_of(product_id(1), ReviewFilter::default(), size(20), Some(beginning)).await;
    assert_eq!(page, Ok::<_, Error>(Page { items: Vec::new(), next: None }));
}
