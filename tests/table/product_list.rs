//! Lists of products.

use crate::is_unavailable;
use domain::{
    Error,
    id::ProductId,
    page::{Page, PageSize},
    product::{Category, ListedProduct},
    rating::Rating,
};
use table::keys;
use tests::{
    Fault, World,
    samples::{
        category, listed, next_version, overlaid, overlay, product, product_id, product_in, user_id,
        withdrawal,
    },
};

fn food() -> Category {
    category("food")
}

fn size(size: i64) -> PageSize {
    PageSize::new(size).unwrap()
}

async fn publish(world: &World, numbers: std::ops::Range<u32>) {
    for number in numbers {
        world.publish(&product(number, 7)).await;
    }
}

fn ids(page: &Page<ListedProduct, ProductId>) -> Vec<ProductId> {
    page.items.iter().map(|item| item.product.product_id).collect()
}

fn newest_first(numbers: std::ops::Range<u32>) -> Vec<ProductId> {
    numbers.rev().map(product_id).collect()
}

/// Reads all pages of a list; returns the size of each page, and all product ids.
async fn read_to_the_end(
    mut read: impl AsyncFnMut(Option<ProductId>) -> Result<Page<ListedProduct, ProductId>, Error>,
) -> (Vec<usize>, Vec<ProductId>) {
    let (mut sizes, mut all, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = read(after).await.unwrap();
        sizes.push(page.items.len());
        all.extend(ids(&page));
        after = page.next;
        if after.is_none() {
            return (sizes, all);
        }
    }
}

#[tokio::test]
async fn a_category_lists_its_own_products_newest_first() {
    let world = World::new();
    publish(&world, 0..3).await;
    world.publish(&product_in("food & drink", 3, 7)).await;
    let page = world.table.products_of_category(&food(), size(20), None).await.unwrap();
    assert_eq!((ids(&page), page.next), (newest_first(0..3), None));
}

#[tokio::test]
async fn a_seller_lists_only_what_is_the_sellers_newest_first() {
    let world = World::new();
    publish(&world, 0..3).await;
    world.publish(&product(3, 8)).await;
    let page = world.table.products_of_seller(user_id(7), size(20), None).await.unwrap();
    assert_eq!((ids(&page), page.next), (newest_first(0..3), None));
}

#[tokio::test]
async fn the_newest_products_are_those_of_all_categories_and_sellers() {
    let world = World::new();
    publish(&world, 0..2).await;
    world.publish(&product_in("gifts", 2, 8)).await;
    world.publish(&product(3, 9)).await;
    world.table.hide_product(withdrawal(product_id(1), 1)).await.unwrap();
    let page = world.table.newest_products(size(20), None).await.unwrap();
    assert_eq!((ids(&page), page.next), ([3, 2, 0].map(product_id).to_vec(), None));
}

#[tokio::test]
async fn pages_of_the_newest_products_neither_skip_nor_repeat() {
    let world = World::new();
    publish(&world, 0..25).await;
    let read = async |after| world.table.newest_products(size(10), after).await;
    assert_eq!(read_to_the_end(read).await, (vec![10, 10, 5], newest_first(0..25)));
}

#[tokio::test]
async fn a_page_of_the_newest_products_costs_one_query_and_one_batch() {
    let world = World::new();
    let list = world.table.newest_products(size(20), None);
    world.measure("newest_products", "no product", list).await.unwrap();
    publish(&world, 0..30).await;
    let list = world.table.newest_products(size(20), None);
    world.measure("newest_products", "20 of 30", list).await.unwrap();
    let list = world.table.newest_products(size(20), Some(product_id(25)));
    world.measure("newest_products", "20 of the rest", list).await.unwrap();
}

#[tokio::test]
async fn a_list_without_products_is_empty() {
    let world = World::new();
    let empty = Page { items: Vec::new(), next: None };
    let food = food();
    let list = world.table.products_of_category(&food, size(20), None);
    assert_eq!(world.measure("products_of_category", "no product", list).await, Ok(empty.clone()));
    let list = world.table.products_of_seller(user_id(7), size(20), None);
    assert_eq!(world.measure("products_of_seller", "no product", list).await, Ok(empty));
}

#[tokio::test]
async fn products_are_listed_with_their_ratings() {
    let world = World::new();
    let (first, second) = (product(1, 7), product(2, 7));
    world.publish(&first).await;
    world.publish(&second).await;
    world.put_rating(product_id(1), [1, 0, 0, 0, 0]);
    let rated = listed(first, Rating { histogram: [1, 0, 0, 0, 0] });
    let items = vec![listed(second, Rating::default()), rated];
    let by_category = world.table.products_of_category(&food(), size(20), None).await.unwrap();
    let by_seller = world.table.products_of_seller(user_id(7), size(20), None).await.unwrap();
    assert_eq!((by_category.items, by_seller.items), (items.clone(), items));
}

#[tokio::test]
async fn pages_of_a_category_neither_skip_nor_repeat() {
    let world = World::new();
    publish(&world, 0..25).await;
    let read = async |after| world.table.products_of_category(&food(), size(10), after).await;
    assert_eq!(read_to_the_end(read).await, (vec![10, 10, 5], newest_first(0..25)));
}

#[tokio::test]
async fn pages_of_a_seller_neither_skip_nor_repeat() {
    let world = World::new();
    publish(&world, 0..25).await;
    let read = async |after| world.table.products_of_seller(user_id(7), size(10), after).await;
    assert_eq!(read_to_the_end(read).await, (vec![10, 10, 5], newest_first(0..25)));
}

#[tokio::test]
async fn a_last_page_that_is_full_has_no_next() {
    let world = World::new();
    publish(&world, 0..20).await;
    let read = async |after| world.table.products_of_category(&food(), size(10), after).await;
    assert_eq!(read_to_the_end(read).await.0, [10, 10]);
    let read = async |after| world.table.products_of_seller(user_id(7), size(10), after).await;
    assert_eq!(read_to_the_end(read).await.0, [10, 10]);
}

#[tokio::test]
async fn a_list_goes_on_where_it_was_although_products_come_and_go() {
    let world = World::new();
    publish(&world, 0..6).await;
    let first = world.table.products_of_category(&food(), size(3), None).await.unwrap();
    world.publish(&product(6, 7)).await;
    world.table.hide_product(withdrawal(first.next.unwrap(), 1)).await.unwrap();
    let rest = world.table.products_of_category(&food(), size(3), first.next).await.unwrap();
    assert_eq!((ids(&rest), rest.next), (newest_first(0..3), None));
}

/// A Query returns at most 1 MB, so a page may be shorter than its limit.
#[tokio::test]
async fn a_page_that_is_cut_short_goes_on() {
    let world = World::new();
    for number in 0..100 {
        let mut product = product(number, 7);
        // The character has four bytes in UTF-8: 20 KB in total.
        product.draft.description = "𝄞".repeat(5000).parse().unwrap();
        world.publish(&product).await;
    }
    let read = async |after| world.table.products_of_category(&food(), size(100), after).await;
    let (sizes, all) = read_to_the_end(read).await;
    assert!(sizes.len() == 2 && sizes[0] < 100, "{sizes:?}");
    assert_eq!(all, newest_first(0..100));
}

#[tokio::test]
async fn a_page_of_a_category_costs_one_query_and_one_batch() {
    let world = World::new();
    publish(&world, 0..30).await;
    let food = food();
    let list = world.table.products_of_category(&food, size(20), None);
    world.measure("products_of_category", "20 of 30", list).await.unwrap();
    let list = world.table.products_of_category(&food, size(20), Some(product_id(25)));
    world.measure("products_of_category", "20 of the rest", list).await.unwrap();
}

#[tokio::test]
async fn a_page_of_a_seller_costs_one_query_and_one_batch() {
    let world = World::new();
    publish(&world, 0..30).await;
    let list = world.table.products_of_seller(user_id(7), size(20), None);
    world.measure("products_of_seller", "20 of 30", list).await.unwrap();
    let list = world.table.products_of_seller(user_id(7), size(20), Some(product_id(25)));
    world.measure("products_of_seller", "20 of the rest", list).await.unwrap();
}

#[tokio::test]
async fn a_hundred_are_read_in_full_batches() {
    let world = World::new();
    publish(&world, 0..101).await;
    let list = world.table.products_of_seller(user_id(7), size(100), None);
    let page = world.measure("products_of_seller", "100 of 101", list).await.unwrap();
    assert_eq!((ids(&page), page.next), (newest_first(1..101), Some(product_id(1))));
    let food = food();
    let list = world.table.products_of_category(&food, size(100), None);
    let page = world.measure("products_of_category", "100 of 101", list).await.unwrap();
    assert_eq!((ids(&page), page.next), (newest_first(1..101), Some(product_id(1))));
}

#[tokio::test]
async fn a_hidden_product_leaves_its_category_and_makes_a_short_page_of_its_sellers() {
    let world = World::new();
    publish(&world, 0..5).await;
    world.table.hide_product(withdrawal(product_id(3), 1)).await.unwrap();
    let shown = [4, 2].map(product_id).to_vec();
    let page = world.table.products_of_category(&food(), size(2), None).await.unwrap();
    assert_eq!((ids(&page), page.next), (shown, Some(product_id(2))));
    let page = world.table.products_of_seller(user_id(7), size(2), None).await.unwrap();
    assert_eq!((ids(&page), page.next), (vec![product_id(4)], Some(product_id(3))));
    let page = world.table.products_of_seller(user_id(7), size(2), page.next).await.unwrap();
    assert_eq!((ids(&page), page.next), ([2, 1].map(product_id).to_vec(), Some(product_id(1))));
}

#[tokio::test]
async fn a_page_of_hidden_products_alone_is_not_the_end() {
    let world = World::new();
    publish(&world, 0..3).await;
    for number in [1, 2] {
        world.table.hide_product(withdrawal(product_id(number), 1)).await.unwrap();
    }
    let read = async |after| world.table.products_of_seller(user_id(7), size(2), after).await;
    assert_eq!(read_to_the_end(read).await, (vec![0, 1], vec![product_id(0)]));
}

#[tokio::test]
async fn a_product_that_moved_is_in_its_new_category_alone() {
    let world = World::new();
    publish(&world, 0..2).await;
    let mut moved = next_version(&product(1, 7));
    moved.draft.category = "gifts".parse().unwrap();
    world.table.replace_product(&moved, &food(), table::Writer([1; 16])).await.unwrap();
    let food = world.table.products_of_category(&food(), size(20), None).await.unwrap();
    let gifts = world.table.products_of_category(&category("gifts"), size(20), None).await.unwrap();
    assert_eq!((ids(&food), ids(&gifts)), (vec![product_id(0)], vec![product_id(1)]));
}

#[tokio::test]
async fn keys_that_were_left_over_are_asked_for_again() {
    let world = World::new();
    publish(&world, 0..10).await;
    for number in 0..10 {
        world.put_rating(product_id(number), [u64::from(number), 0, 0, 0, 0]);
    }
    world.wire.next("BatchGetItem", [Fault::LeftOver(7), Fault::LeftOver(7), Fault::LeftOver(2)]);
    let page = world.table.products_of_category(&food(), size(20), None).await.unwrap();
    let counts: Vec<u64> = page.items.iter().map(|item| item.rating.count()).collect();
    assert_eq!(counts, (0..10).rev().collect::<Vec<_>>());
    let batches = world.wire.take_sent().into_iter().filter(|sent| sent.operation == "BatchGetItem");
    let sizes: Vec<usize> = batches
        .map(|sent| {
            let tables = sent.body["RequestItems"].as_object().unwrap();
            tables.values().map(|table| table["Keys"].as_array().unwrap().len()).sum()
        })
        .collect();
    assert_eq!(sizes, [20, 7, 7, 2], "and only those");
}

#[tokio::test]
async fn a_list_whose_keys_are_left_over_again_and_again_is_unavailable() {
    let world = World::new();
    publish(&world, 0..2).await;
    world.wire.always("BatchGetItem", Fault::LeftOver(100));
    let page = world.table.products_of_seller(user_id(7), size(20), None).await;
    assert!(is_unavailable(&page), "{page:?}");
    assert_eq!(world.wire.take_sent().len(), 1 + 8);
}

/// The seller's partition also holds items that are not products, such as the profile.
#[tokio::test]
async fn other_items_of_a_seller_are_not_listed() {
    let world = World::new();
    publish(&world, 0..2).await;
    for key in [keys::profile(user_id(7)), keys::idempotency(user_id(7), "product-create", "k")] {
        world.put(&key, &serde_json::json!({}));
    }
    let read = async |after| world.table.products_of_seller(user_id(7), size(1), after).await;
    assert_eq!(read_to_the_end(read).await, (vec![1, 1], newest_first(0..2)));
}

#[tokio::test]
async fn lists_of_products_in_experiments_cost_no_further_request() {
    let world = World::new();
    let products: Vec<_> =
        (0..30).map(|number| overlaid(&product(number, 7), Some(overlay(590)), 0)).collect();
    for product in &products {
        world.publish(product).await;
    }
    let food = food();
    let list = world.table.products_of_category(&food, size(20), None);
    let list = world.measure("products_of_category", "20 in experiments", list).await.unwrap();
    assert_eq!(list.items[0].product, products[29]);
    let list = world.table.products_of_seller(user_id(7), size(20), None);
    let list = world.measure("products_of_seller", "20 in experiments", list).await.unwrap();
    assert_eq!(list.items[0].product, products[29]);
}
