//! Categories, and how many products each of them has.

use crate::{hold, together};
use domain::{
    Error,
    idempotency::{Creation, StoredResponse},
    page::PageSize,
    product::{Category, CategoryCount, Product},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use table::{CategoryRecount, Hidden, Writer, keys};
use tests::{
    Fault, World,
    samples::{category, next_version, once, product, product_id, product_in, stock, withdrawal},
};

const WRITER: Writer = Writer([1; 16]);

fn size(size: i64) -> PageSize {
    PageSize::new(size).unwrap()
}

/// The number of products of each category in the list of categories.
async fn counts(world: &World) -> Vec<(String, u64)> {
    let page = world.table.categories(PageSize::LARGEST, None).await.unwrap();
    assert_eq!(page.next, None);
    let count = |CategoryCount { category, products }| (category.to_string(), products);
    page.items.into_iter().map(count).collect()
}

fn named(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(category, products)| ((*category).to_owned(), *products)).collect()
}

/// The next version of a product, in another category.
fn moved(product: &Product, to: &str) -> Product {
    let mut next = next_version(product);
    next.draft.category = category(to);
    next
}

async fn move_to(world: &World, product: &Product, to: &str) -> Result<Product, Error> {
    let next = moved(product, to);
    let writer = Writer([u8::try_from(next.version).unwrap(); 16]);
    world.table.replace_product(&next, &product.draft.category, writer).await.map(|()| next)
}

#[tokio::test]
async fn categories_are_listed_by_name_with_the_number_of_their_products() {
    let world = World::new();
    let list = world.table.categories(size(20), None);
    assert_eq!(world.measure("categories", "none", list).await.unwrap().items, []);
    for (number, name) in (0..40).zip(["tea", "food & drink", "Tea"].into_iter().cycle()) {
        world.publish(&product_in(name, number, 7)).await;
    }
    let list = world.table.categories(size(20), None);
    let page = world.measure("categories", "3 with 40 products", list).await.unwrap();
    assert_eq!(page.next, None);
    assert_eq!(counts(&world).await, named(&[("Tea", 13), ("food & drink", 13), ("tea", 14)]));
}

#[tokio::test]
async fn pages_of_categories_neither_skip_nor_repeat() {
    let world = World::new();
    for number in 0..60 {
        world.publish(&product_in(&format!("c{:02}", number % 25), number, 7)).await;
    }
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = world.table.categories(size(10), after).await.unwrap();
        pages.push(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    let expected: Vec<_> =
        (0..25).map(|number| (format!("c{number:02}"), if number < 10 { 3 } else { 2 })).collect();
    let found: Vec<_> =
        pages.concat().into_iter().map(|one| (one.category.to_string(), one.products)).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_full_page_of_categories_costs_a_query_of_each_partition() {
    let world = World::new();
    for (name, digit) in (0..101).flat_map(|name| "01234567".chars().map(move |digit| (name, digit))) {
        let counter = keys::category_count(&category(&format!("category {name}")), digit);
        world.put(&counter, &json!({"products": {"N": "1"}}));
    }
    let list = world.table.categories(PageSize::LARGEST, None);
    let page = world.measure("categories", "100 of 101 with 8 products each", list).await.unwrap();
    assert!(page.items.iter().all(|one| one.products == 8) && page.items.len() == 100 && page.next.is_some());
}

#[tokio::test]
async fn a_last_page_of_categories_that_is_full_has_no_next() {
    let world = World::new();
    for (number, name) in (0..).zip(["a", "b", "c", "d"]) {
        world.publish(&product_in(name, number, 7)).await;
    }
    let first = world.table.categories(size(2), None).await.unwrap();
    assert_eq!(first.next, Some(category("b")));
    let second = world.table.categories(size(2), first.next).await.unwrap();
    assert_eq!((second.items.len(), second.next), (2, None));
}

#[tokio::test]
async fn a_publication_that_is_repeated_counts_once() {
    let world = World::new();
    let (first, again) = (product(1, 7), product(2, 7));
    let answer = StoredResponse { status: 201, headers: Vec::new(), body: String::new() };
    let key = once("k", 1);
    let create = async |product| world.table.create_product(product, stock(3), Some((&key, &answer))).await;
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(create(&first).await, Ok(Creation::New));
    assert_eq!(create(&again).await, Ok(Creation::Replayed(answer.clone())));
    let taken = world.table.create_product(&first, stock(3), None).await;
    assert!(matches!(taken, Err(Error::Internal { .. })), "{taken:?}");
    assert_eq!(counts(&world).await, named(&[("food", 1)]));
}

#[tokio::test]
async fn a_product_that_moves_is_counted_in_its_new_category_alone() {
    let world = World::new();
    let first = product(1, 7);
    world.publish(&first).await;
    world.publish(&product(2, 7)).await;
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    let second = move_to(&world, &first, "gifts").await.unwrap();
    assert_eq!(counts(&world).await, named(&[("food", 1), ("gifts", 1)]));
    let left = world.item(&keys::category_count(&category("food"), '1'));
    assert_eq!(left, json!(null), "a counter that is zero is deleted");

    let stale = moved(&first, "music");
    let stale = world.table.replace_product(&stale, &first.draft.category, Writer([4; 16]));
    let stale = world.measure("replace_product", "stale and moved", stale).await;
    assert_eq!(stale, Err(Error::Stale { current: 2 }));
    let third = next_version(&second);
    world.table.replace_product(&third, &second.draft.category, Writer([3; 16])).await.unwrap();
    assert_eq!(counts(&world).await, named(&[("food", 1), ("gifts", 1)]));
}

#[tokio::test]
async fn a_product_that_moves_with_another_stock_is_counted_in_its_new_category() {
    let world = World::new();
    let first = product(1, 7);
    world.publish(&first).await;
    let next = moved(&first, "gifts");
    let replace = world.table.replace_product_and_stock(&next, &first.draft.category, stock(9), WRITER);
    let replaced = world.measure("replace_product_and_stock", "to another category", replace).await;
    assert_eq!((replaced, world.table.stock(product_id(1)).await.unwrap().stock), (Ok(()), stock(9)));
    assert_eq!(counts(&world).await, named(&[("gifts", 1)]));
}

/// The function and the state machine both hide a product, before and after changes of it.
#[tokio::test]
async fn a_withdrawal_that_comes_again_or_late_counts_once() {
    let world = World::new();
    let first = product(1, 7);
    world.publish(&first).await;
    world.publish(&product(17, 7)).await;
    let second = move_to(&world, &first, "gifts").await.unwrap();
    assert_eq!(world.table.hide_product(withdrawal(product_id(1), 1)).await, Ok(Hidden::Superseded(2)));
    assert_eq!(counts(&world).await, named(&[("food", 1), ("gifts", 1)]));
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    for _ in 0..3 {
        assert_eq!(world.table.hide_product(withdrawal(product_id(1), 2)).await, Ok(Hidden::Done));
    }
    let late = move_to(&world, &second, "music").await;
    assert_eq!(late, Err(Error::NotFound { what: "product" }));
    world.table.purge_product(product_id(1), first.seller_id).await.unwrap();
    assert_eq!(world.table.hide_product(withdrawal(product_id(1), 2)).await, Ok(Hidden::Gone));
    assert_eq!(counts(&world).await, named(&[("food", 1)]));
}

#[tokio::test]
async fn a_counter_that_could_not_be_deleted_is_not_listed() {
    let world = World::new();
    world.publish(&product_in("tea", 1, 7)).await;
    world.publish(&product_in("wood", 2, 7)).await;
    world.wire.always("DeleteItem", Fault::Failing);
    assert_eq!(world.table.hide_product(withdrawal(product_id(1), 1)).await, Ok(Hidden::Done));
    world.wire.heal();
    assert_eq!(world.item(&keys::category_count(&category("tea"), '1'))["products"], json!({"N": "0"}));
    assert_eq!(counts(&world).await, named(&[("wood", 1)]));
    // A page without a category is not the end.
    let first = world.table.categories(size(1), None).await.unwrap();
    assert_eq!((first.items.len(), first.next), (0, Some(category("tea"))));
    world.publish(&product_in("tea", 33, 7)).await;
    assert_eq!(counts(&world).await, named(&[("tea", 1), ("wood", 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_many_products_at_the_same_instant_are_all_counted() {
    let world = Arc::new(World::new());
    for number in 0..40 {
        world.publish(&product(number, 7)).await;
    }
    together(&world, 60, async |world, number| {
        let table = world.another_client();
        let product = product(number, 7);
        let changed = match number {
            0..15 => table.hide_product(withdrawal(product_id(number), 1)).await.map(drop),
            15..40 => table.replace_product(&moved(&product, "gifts"), &product.draft.category, WRITER).await,
            _ => table.create_product(&product, stock(3), None).await.map(drop),
        };
        changed.unwrap();
    })
    .await;
    assert_eq!(counts(&world).await, named(&[("food", 20), ("gifts", 25)]));
    for name in ["food", "gifts"] {
        assert!(recount(&world, &category(name)).await.agrees());
    }
}

/// Either the product moves and stays, or it is withdrawn from where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_move_and_two_withdrawals_at_the_same_instant_count_as_one_change() {
    for _ in 0..20 {
        let world = Arc::new(World::new());
        world.publish(&product(1, 7)).await;
        hold(&world, "TransactWriteItems", 3);
        let done = together(&world, 3, async |world, number| {
            let table = world.another_client();
            if number > 0 {
                return table.hide_product(withdrawal(product_id(1), 1)).await == Ok(Hidden::Done);
            }
            let first = product(1, 7);
            table.replace_product(&moved(&first, "gifts"), &first.draft.category, WRITER).await.is_ok()
        })
        .await;
        let expected = if done[0] { named(&[("gifts", 1)]) } else { Vec::new() };
        assert_eq!((done[0], counts(&world).await), (!done[1] && !done[2], expected));
    }
}

/// Writes a product as it was stored before products were counted.
async fn publish_uncounted(world: &World, product: &Product) {
    world.publish(product).await;
    let digit = keys::shard_of(product.product_id);
    world.delete(&keys::category_count(&product.draft.category, digit));
}

async fn recount(world: &World, of: &Category) -> CategoryRecount {
    world.table.recount_category(of).await.unwrap()
}

#[tokio::test]
async fn products_that_were_not_counted_are_found_and_counted() {
    let world = World::new();
    let food = category("food");
    for number in 0..20 {
        publish_uncounted(&world, &product(number, 7)).await;
    }
    // Since then, one of them is withdrawn and others are published: counters below and above zero.
    world.wire.always("DeleteItem", Fault::Failing);
    world.table.hide_product(withdrawal(product_id(3), 1)).await.unwrap();
    world.wire.heal();
    world.publish(&product(20, 7)).await;
    world.publish(&product(36, 7)).await;
    let count = world.table.recount_category(&food);
    let found = world.measure("recount_category", "of 21 products", count).await.unwrap();
    assert_eq!((found.stored(), found.counted(), found.agrees()), (1, 21, false));
    let repair = world.table.repair_category(&food, &found);
    assert_eq!(world.measure("repair_category", "of 21 products", repair).await, Ok(true));
    assert!(recount(&world, &food).await.agrees());
    assert_eq!(counts(&world).await, named(&[("food", 21)]));
    world.table.hide_product(withdrawal(product_id(4), 1)).await.unwrap();
    assert_eq!(counts(&world).await, named(&[("food", 20)]), "it goes on from there");
}

#[tokio::test]
async fn a_category_that_agrees_is_left_as_it_is() {
    let world = World::new();
    world.publish(&product(1, 7)).await;
    let before = world.items();
    let agreeing = recount(&world, &category("food")).await;
    assert!(agreeing.agrees());
    assert_eq!(world.table.repair_category(&category("food"), &agreeing).await, Ok(true));
    let none = category("none");
    let none = world.measure("recount_category", "none", world.table.recount_category(&none)).await;
    assert!(none.unwrap().agrees());
    assert_eq!(world.items(), before);
}

#[tokio::test]
async fn counters_without_products_are_deleted() {
    let (world, tea) = (World::new(), category("tea"));
    let key = keys::category_count(&tea, 'a');
    for stored in [0, -3, 7] {
        world.put(&key, &json!({"products": {"N": stored.to_string()}}));
        let wrong = recount(&world, &tea).await;
        assert_eq!((wrong.agrees(), wrong.stored(), wrong.counted()), (false, stored, 0));
        let repair = world.table.repair_category(&tea, &wrong);
        assert_eq!(world.measure("repair_category", "without products", repair).await, Ok(true));
        assert_eq!(world.item(&key), json!(null));
    }
}

#[tokio::test]
async fn a_counter_that_has_changed_meanwhile_is_left_alone() {
    let (world, food) = (World::new(), category("food"));
    publish_uncounted(&world, &product(1, 7)).await;
    publish_uncounted(&world, &product(2, 7)).await;
    let wrong = recount(&world, &food).await;
    world.publish(&product(17, 7)).await;
    let repair = world.table.repair_category(&food, &wrong);
    assert_eq!(world.measure("repair_category", "changed meanwhile", repair).await, Ok(false));
    assert_eq!(counts(&world).await, named(&[("food", 2)]), "one of two counters was put right");
    let wrong = recount(&world, &food).await;
    assert_eq!(world.table.repair_category(&food, &wrong).await, Ok(true));
    assert_eq!(counts(&world).await, named(&[("food", 3)]));
}

#[tokio::test]
async fn a_repair_whose_answer_was_lost_is_seen_by_the_next_recount() {
    for operation in ["UpdateItem", "DeleteItem"] {
        let (world, food) = (World::new(), category("food"));
        if operation == "UpdateItem" {
            publish_uncounted(&world, &product(1, 7)).await;
        } else {
            world.put(&keys::category_count(&food, '1'), &json!({"products": {"N": "7"}}));
        }
        let wrong = recount(&world, &food).await;
        world.wire.next(operation, [Fault::AnswerLost]);
        assert_eq!(world.table.repair_category(&food, &wrong).await, Ok(false));
        assert!(recount(&world, &food).await.agrees());
    }
}

/// A Query returns at most 1 MB.
#[tokio::test]
async fn products_beyond_one_query_are_counted() {
    let world = World::new();
    for number in 0..60 {
        let mut product = product(number, 7);
        // The character has four bytes in UTF-8: 20 KB in total.
        product.draft.description = "𝄞".repeat(5000).parse().unwrap();
        world.publish(&product).await;
    }
    let found = recount(&world, &category("food")).await;
    assert_eq!((found.counted(), found.agrees()), (60, true));
}

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[tokio::test]
async fn every_category_is_right_after_random_changes_and_failures() {
    let (world, mut dice) = (World::new(), Dice(7));
    let faults = [Fault::AnswerLost, Fault::Failing, Fault::Unreachable, Fault::Throttled];
    let mut shown: Vec<Product> = Vec::new();
    for number in 0..250 {
        let of_request: Vec<_> = (0..dice.below(5)).map(|_| faults[dice.below(4)].clone()).collect();
        world.wire.next("TransactWriteItems", of_request);
        let name = ["food", "gifts", "tea"][dice.below(3)];
        // Requests fail, and what they are told does not matter: the table says what was carried out.
        match (dice.below(3), shown.len()) {
            (0, 1..) => drop(move_to(&world, &shown[dice.below(shown.len())], name).await),
            (1, 1..) => {
                let Product { product_id, version, .. } = shown[dice.below(shown.len())];
                drop(world.table.hide_product(withdrawal(product_id, version)).await);
            }
            _ => {
                shown.push(product_in(name, number, 7));
                drop(world.table.create_product(shown.last().unwrap(), stock(3), None).await);
            }
        }
        world.wire.heal();
        let mut present = Vec::new();
        for product in shown {
            present.extend(world.table.product(product.product_id).await.ok());
        }
        shown = present;
    }
    let mut expected = BTreeMap::new();
    for product in &shown {
        *expected.entry(product.draft.category.to_string()).or_insert(0) += 1;
    }
    assert!(expected.len() == 3 && shown.len() > 5, "{expected:?}");
    assert_eq!(counts(&world).await, expected.into_iter().collect::<Vec<_>>());
}
