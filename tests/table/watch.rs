//! Watched items, their past prices, and watches.

use crate::is_unavailable;
use domain::{
    Money,
    observation::{Availability, ItemId, Observation, Reason, Validators},
    page::PageSize,
    watched_item::{Pace, Slot, WatchedItem, shard_of},
};
use serde_json::json;
use table::{Watch, keys};
use tests::{
    Fault, World,
    samples::{later, now, user_id},
};

const DAY: u64 = 24 * 60 * 60;

fn item_id(number: u8) -> ItemId {
    ItemId::of_digest(&[number; 32])
}

fn page(amount: i64) -> (Observation, Validators) {
    let price = Some(Money { amount, currency: "SGD".parse().unwrap() });
    let name = "Green tea, first flush, 100 g".to_owned();
    let validators = Validators { etag: Some("\"0123456789abcdef\"".to_owned()), last_modified: None };
    (Observation { name, price, availability: Availability::InStock, from: false }, validators)
}

fn item(number: u8) -> WatchedItem {
    let address = (format!("https://shop.com/products/{number}"), "shop.com".to_owned());
    WatchedItem::new(item_id(number), address, Ok(page(1299)), now())
}

/// Looks at the item's page, `seconds` after it was first read, and stores what was found.
async fn look(world: &World, item: &WatchedItem, amount: i64, seconds: u64) -> WatchedItem {
    match item.after(Ok(Some(page(amount))), later(seconds)) {
        Some(next) => {
            assert_eq!(world.table.replace_watched_item(item, &next).await, Ok(true));
            next
        }
        None => item.clone(),
    }
}

#[tokio::test]
async fn an_item_is_stored_once_for_all_users() {
    let world = World::new();
    let item = item(1);
    let create = world.table.create_watched_item(&item);
    assert_eq!(world.measure("create_watched_item", "", create).await, Ok(item.clone()));
    let mut second = item.clone();
    second.since = later(9);
    let create = world.table.create_watched_item(&second);
    assert_eq!(world.measure("create_watched_item", "there already", create).await, Ok(item.clone()));
    let read = world.table.watched_item(item.item_id);
    assert_eq!(world.measure("watched_item", "", read).await, Ok(item));
    assert!(world.table.watched_item(item_id(2)).await.is_err());
}

#[tokio::test]
async fn a_change_keeps_the_old_price_and_costs_three_units() {
    let world = World::new();
    let first = world.table.create_watched_item(&item(1)).await.unwrap();
    // The pace of an hour is that of a price that held for a day.
    let next = first.after(Ok(Some(page(999))), later(DAY)).unwrap();
    let replace = world.table.replace_watched_item(&first, &next);
    assert_eq!(world.measure("replace_watched_item", "a new price", replace).await, Ok(true));
    assert_eq!(world.item(&keys::watched_item(item_id(1)))["revision"], json!({"N": "2"}));
    let past = world.item(&keys::past_price(item_id(1), now()));
    assert_eq!(past["price"], json!({"M": {"amount": {"N": "1299"}, "currency": {"S": "SGD"}}}));

    let slower = next.after(Ok(None), later(5 * DAY)).unwrap();
    let replace = world.table.replace_watched_item(&next, &slower);
    assert_eq!(world.measure("replace_watched_item", "another pace", replace).await, Ok(true));
    let failed = slower.after(Err(Reason::Timeout), later(6 * DAY)).unwrap();
    let replace = world.table.replace_watched_item(&slower, &failed);
    assert_eq!(world.measure("replace_watched_item", "a failure", replace).await, Ok(true));
}

#[tokio::test]
async fn of_two_looks_at_once_one_is_written() {
    let world = World::new();
    let first = world.table.create_watched_item(&item(1)).await.unwrap();
    let one = first.after(Ok(Some(page(999))), later(DAY)).unwrap();
    let other = first.after(Ok(Some(page(899))), later(DAY + 1)).unwrap();
    assert_eq!(world.table.replace_watched_item(&first, &one).await, Ok(true));
    let late = world.table.replace_watched_item(&first, &other);
    assert_eq!(world.measure("replace_watched_item", "another was faster", late).await, Ok(false));
    assert_eq!(world.table.watched_item(item_id(1)).await, Ok(one));
}

#[tokio::test]
async fn a_look_that_dies_between_its_writes_shows_nothing_twice() {
    let world = World::new();
    let first = world.table.create_watched_item(&item(1)).await.unwrap();
    let next = first.after(Ok(Some(page(999))), later(DAY)).unwrap();
    // The first write is done, the second never arrives.
    world.put(
        &keys::past_price(item_id(1), now()),
        &json!({
            "price": {"M": {"amount": {"N": "1299"}, "currency": {"S": "SGD"}}},
            "availability": {"S": "inStock"}, "since": {"S": now().to_string()},
        }),
    );
    let history = world.table.price_history(item_id(1), PageSize::DEFAULT, None).await.unwrap();
    assert_eq!((history.now, history.past.items.len()), (Some(first.clone()), 0));
    world.wire.next("PutItem", [Fault::AnswerLost, Fault::AnswerLost]);
    assert_eq!(world.table.replace_watched_item(&first, &next).await, Ok(true));
    let history = world.table.price_history(item_id(1), PageSize::DEFAULT, None).await.unwrap();
    assert_eq!((history.now, history.past.items), (Some(next), vec![first.past().unwrap()]));
}

#[tokio::test]
async fn a_history_is_read_by_page_newest_first() {
    let world = World::new();
    let mut item = world.table.create_watched_item(&item(1)).await.unwrap();
    for day in 1..=7 {
        item = look(&world, &item, 1000 + i64::try_from(day).unwrap(), day * DAY).await;
    }
    let size = PageSize::new(3).unwrap();
    let first = world.table.price_history(item_id(1), size, None);
    let first = world.measure("price_history", "3 of 7 and the item", first).await.unwrap();
    assert_eq!(first.now, Some(item));
    let amounts = |history: &table::PriceHistory| -> Vec<i64> {
        history.past.items.iter().filter_map(|past| Some(past.price?.amount)).collect()
    };
    assert_eq!(amounts(&first), [1006, 1005, 1004]);
    let second = world.table.price_history(item_id(1), size, first.past.next);
    let second = world.measure("price_history", "the next 3", second).await.unwrap();
    assert_eq!((amounts(&second), &second.now), (vec![1003, 1002, 1001], &None));
    let third = world.table.price_history(item_id(1), size, second.past.next).await.unwrap();
    assert_eq!((amounts(&third), third.past.next), (vec![1299], None));
}

#[tokio::test]
async fn due_items_are_found_by_slot_and_shard_without_a_write() {
    let world = World::new();
    for number in 1..=120 {
        world.table.create_watched_item(&item(number)).await.unwrap();
    }
    let shard = shard_of("shop.com");
    let mut found = Vec::new();
    for number in 0..Pace::Hour.ticks() {
        let slot = Slot { pace: Pace::Hour, number };
        let due = world.table.due_items(slot, shard, None).await.unwrap();
        assert!(due.items.iter().all(|item| Slot::of(item.item_id, item.pace) == slot));
        found.extend(due.items.into_iter().map(|item| item.item_id));
    }
    found.sort();
    let mut all: Vec<ItemId> = (1..=120).map(item_id).collect();
    all.sort();
    assert_eq!(found, all);
    let slot = Slot { pace: Pace::Hour, number: 0 };
    let due = world.table.due_items(slot, shard, None);
    world.measure("due_items", "30 items", due).await.unwrap();
    let nothing = world.table.due_items(Slot { pace: Pace::Day, number: 5 }, shard, None);
    assert_eq!(world.measure("due_items", "nothing due", nothing).await.unwrap().items, []);
}

#[tokio::test]
async fn due_items_go_on_where_they_stopped() {
    let world = World::new();
    let mut expected = Vec::new();
    for number in 0..=255 {
        let item = item(number);
        // A quarter of the ids has the slot of the first one.
        if Slot::of(item.item_id, item.pace).number == 0 {
            expected.push(world.table.create_watched_item(&item).await.unwrap().item_id);
        }
    }
    let slot = Slot { pace: Pace::Hour, number: 0 };
    let (mut found, mut position) = (Vec::new(), None);
    loop {
        let due = world.table.due_items(slot, shard_of("shop.com"), position.as_ref()).await.unwrap();
        found.extend(due.items.into_iter().map(|item| item.item_id));
        position = due.next;
        if position.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_item_is_watched_once_by_a_user() {
    let world = World::new();
    let watch = Watch { item_id: item_id(1), created_at: now() };
    let create = world.table.create_watch(user_id(1), &watch);
    assert_eq!(world.measure("create_watch", "", create).await, Ok(true));
    let again = Watch { created_at: later(1), ..watch.clone() };
    let create = world.table.create_watch(user_id(1), &again);
    assert_eq!(world.measure("create_watch", "watched already", create).await, Ok(false));
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(world.table.create_watch(user_id(2), &watch).await, Ok(true));

    for number in 2..=4 {
        let watch = Watch { item_id: item_id(number), created_at: now() };
        world.table.create_watch(user_id(1), &watch).await.unwrap();
    }
    let size = PageSize::new(3).unwrap();
    let list = world.table.watches_of(user_id(1), size, None);
    let list = world.measure("watches_of", "3 of 4", list).await.unwrap();
    assert_eq!(list.items.iter().map(|watch| watch.item_id).collect::<Vec<_>>(), [1, 2, 3].map(item_id));
    let rest = world.table.watches_of(user_id(1), size, list.next).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));

    let delete = world.table.delete_watch(user_id(1), item_id(1));
    world.measure("delete_watch", "", delete).await.unwrap();
    assert_eq!(world.table.delete_watch(user_id(1), item_id(1)).await, Ok(()));
    assert_eq!(world.table.watches_of(user_id(1), size, None).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn a_store_that_fails_is_unavailable() {
    let world = World::new();
    world.wire.always("PutItem", Fault::Throttled);
    assert!(is_unavailable(&world.table.create_watched_item(&item(1)).await));
}
