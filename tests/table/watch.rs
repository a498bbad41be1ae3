//! Watched items, their past prices, and watches.

use crate::is_unavailable;
use domain::{
    Money,
    back_off::BackOff,
    observation::{Availability, ItemId, Observation, Reason, Validators},
    page::PageSize,
    watched_item::{DueList, Interest, Pace, Slot, WatchedItem, shard_of},
};
use serde_json::json;
use table::{DuePosition, Watch, keys};
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
    let past = world.table.past_price(item_id(1), now());
    assert_eq!(world.measure("past_price", "", past).await, Ok(first.past()));
    assert_eq!(world.table.past_price(item_id(1), later(1)).await, Ok(None));
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
    let first = world.measure("price_history", "the item and 2 of 7", first).await.unwrap();
    assert_eq!(first.now, Some(item));
    let amounts = |history: &table::PriceHistory| -> Vec<i64> {
        history.past.items.iter().filter_map(|past| Some(past.price?.amount)).collect()
    };
    assert_eq!(amounts(&first), [1006, 1005]);
    let second = world.table.price_history(item_id(1), size, first.past.next);
    let second = world.measure("price_history", "the next 3", second).await.unwrap();
    assert_eq!((amounts(&second), &second.now), (vec![1004, 1003, 1002], &None));
    let third = world.table.price_history(item_id(1), size, second.past.next).await.unwrap();
    assert_eq!((amounts(&third), third.past.next), (vec![1001, 1299], None));
    // A page that the item fills goes on with its last past price.
    let one = PageSize::new(1).unwrap();
    let first = world.table.price_history(item_id(1), one, None).await.unwrap();
    assert_eq!(amounts(&first), [0; 0]);
    let second = world.table.price_history(item_id(1), one, first.past.next).await.unwrap();
    assert_eq!(amounts(&second), [1006]);
}

#[tokio::test]
async fn a_summary_reads_the_prices_of_a_period_and_the_one_before() {
    let world = World::new();
    let mut item = world.table.create_watched_item(&item(1)).await.unwrap();
    for hour in 1..=70 {
        item = look(&world, &item, 1000 + i64::try_from(hour).unwrap(), hour * 3600).await;
    }
    let recent = world.table.recent_prices(item_id(1), later(60 * 3600 + 1));
    let recent = world.measure("recent_prices", "10 of 70", recent).await.unwrap();
    let since: Vec<_> = recent.iter().map(|past| past.since).collect();
    assert_eq!(since, (60..70).rev().map(|hour| later(hour * 3600)).collect::<Vec<_>>());
    let all = world.table.recent_prices(item_id(1), later(0));
    let all = world.measure("recent_prices", "70 by two queries", all).await.unwrap();
    assert_eq!((all.len(), all[69].since), (70, now()));
    assert_eq!(world.table.recent_prices(item_id(2), later(0)).await, Ok(vec![]));
}

#[tokio::test]
async fn an_item_with_a_record_of_its_prices_has_less_than_a_kilobyte() {
    let world = World::new();
    let mut item = world.table.create_watched_item(&item(1)).await.unwrap();
    for day in 1..=9 {
        item = look(&world, &item, 99_999_999_999 - i64::try_from(day).unwrap(), day * 300 * DAY).await;
    }
    world.measured();
    let failed = item.after(Err(Reason::TooManyRedirects), later(3000 * DAY)).unwrap();
    assert_eq!(world.table.replace_watched_item(&item, &failed).await, Ok(true));
    // One for the item, one for its index entry.
    assert!((world.measured().write - 2.0).abs() < f64::EPSILON);
}

fn slot(pace: Pace, number: u64) -> DueList {
    DueList { pace, slot: Some(number), shard: shard_of("shop.com") }
}

#[tokio::test]
async fn due_items_are_found_by_slot_and_shard_without_a_write() {
    let world = World::new();
    for number in 1..=120 {
        world.table.create_watched_item(&item(number)).await.unwrap();
    }
    let mut found = Vec::new();
    for number in 0..Pace::Hour.ticks() {
        let due = world.table.due_items(slot(Pace::Hour, number), None, false).await.unwrap();
        let is_due =
            |item: &WatchedItem| Slot::of(item.item_id, item.pace) == Slot { pace: Pace::Hour, number };
        assert!(due.items.iter().all(is_due));
        found.extend(due.items.into_iter().map(|item| item.item_id));
    }
    found.sort();
    let mut all: Vec<ItemId> = (1..=120).map(item_id).collect();
    all.sort();
    assert_eq!(found, all);
    let due = world.table.due_items(slot(Pace::Hour, 0), None, false);
    world.measure("due_items", "30 items", due).await.unwrap();
    let nothing = world.table.due_items(slot(Pace::Day, 5), None, false);
    assert_eq!(world.measure("due_items", "nothing due", nothing).await.unwrap().items, []);
}

#[tokio::test]
async fn all_items_of_a_pace_are_found_page_by_page() {
    let world = World::new();
    for number in 0..=255 {
        world.table.create_watched_item(&item(number)).await.unwrap();
    }
    let list = DueList { slot: None, ..slot(Pace::Hour, 0) };
    let (mut found, mut position, mut pages) = (Vec::new(), None, 0);
    loop {
        let due = world.table.due_items(list, position.as_ref(), false).await.unwrap();
        found.extend(due.items.into_iter().map(|item| item.item_id));
        (position, pages) = (due.next, pages + 1);
        if position.is_none() {
            break;
        }
    }
    found.sort();
    let mut all: Vec<ItemId> = (0..=255).map(item_id).collect();
    all.sort();
    assert_eq!((found, pages), (all, 3));
}

#[tokio::test]
async fn a_host_with_many_items_is_passed_over_and_read_by_itself() {
    let world = World::new();
    // All in one slot and one shard.
    let hosts = ["shop.com", "shop.com:8080", "shop.community"];
    let shard = shard_of("shop.com");
    let id = |number: u8| {
        let mut digest = [number; 32];
        digest[..2].fill(0);
        ItemId::of_digest(&digest)
    };
    for (host, number) in hosts.iter().zip([1, 4, 7]) {
        for number in number..number + 3 {
            let address = (format!("https://{host}/{number}"), (*host).to_owned());
            let item = WatchedItem::new(id(number), address, Ok(page(1299)), now());
            let mut stored = world.table.create_watched_item(&item).await.unwrap();
            stored.host = (*host).to_owned();
            // Another host may be of another shard: here, all of them are put into one.
            let key = keys::due(Slot::of(stored.item_id, stored.pace), shard, host, stored.item_id);
            let mut raw = world.item(&keys::watched_item(stored.item_id));
            raw["gsi2pk"] = json!({"S": key.pk});
            raw["gsi2sk"] = json!({"S": key.sk});
            world.put(&keys::watched_item(stored.item_id), &raw);
        }
    }
    let list = slot(Pace::Hour, 0);
    let hosts_of = |items: &[WatchedItem]| items.iter().map(|item| item.host.clone()).collect::<Vec<_>>();
    let all = world.table.due_items(list, None, false).await.unwrap().items;
    assert_eq!(hosts_of(&all), [["shop.com"; 3], ["shop.com:8080"; 3], ["shop.community"; 3]].concat());
    let first = DuePosition::of(&all[0]);
    let rest = world.table.due_items(list, Some(&first), true).await.unwrap().items;
    assert_eq!(hosts_of(&rest), ["shop.com"; 2]);
    let others = world.table.due_items(list, Some(&first.after_host()), false).await.unwrap().items;
    assert_eq!(hosts_of(&others), [["shop.com:8080"; 3], ["shop.community"; 3]].concat());
}

#[tokio::test]
async fn an_item_is_watched_once_by_a_user() {
    let world = World::new();
    let watch = Watch::new(item_id(1), Vec::new(), now());
    world.table.create_watched_item(&item(1)).await.unwrap();
    let create = world.table.create_watch(user_id(1), &watch);
    assert_eq!(world.measure("create_watch", "", create).await, Ok(watch.clone()));
    let again = Watch { created_at: later(1), ..watch.clone() };
    let create = world.table.create_watch(user_id(1), &again);
    assert_eq!(world.measure("create_watch", "watched already", create).await, Ok(watch.clone()));
    world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
    assert_eq!(world.table.create_watch(user_id(2), &watch).await, Ok(watch.clone()));
    let read = world.table.watch(user_id(1), item_id(1));
    assert_eq!(world.measure("watch", "", read).await, Ok(watch));
    assert!(world.table.watch(user_id(3), item_id(1)).await.is_err());

    for number in 2..=4 {
        let watch = Watch::new(item_id(number), Vec::new(), now());
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
    let delete = world.table.delete_watch(user_id(1), item_id(1));
    world.measure("delete_watch", "ended before", delete).await.unwrap();
    assert_eq!(world.table.watches_of(user_id(1), size, None).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn the_end_of_a_watch_makes_it_doubtful_whether_anybody_watches_the_item() {
    let world = World::new();
    world.table.create_watched_item(&item(1)).await.unwrap();
    for user in [1, 2] {
        let watch = Watch::new(item_id(1), Vec::new(), now());
        world.table.create_watch(user_id(user), &watch).await.unwrap();
    }
    world.table.delete_watch(user_id(1), item_id(1)).await.unwrap();
    let item = world.table.watched_item(item_id(1)).await.unwrap();
    assert_eq!((item.interest, item.revision), (Interest::Doubtful, 2));
    let watchers = world.table.has_watchers(item_id(1));
    assert_eq!(world.measure("has_watchers", "one", watchers).await, Ok(true));
    world.table.delete_watch(user_id(2), item_id(1)).await.unwrap();
    let watchers = world.table.has_watchers(item_id(1));
    assert_eq!(world.measure("has_watchers", "none", watchers).await, Ok(false));
    // An item that nobody watches is in no list of due items.
    let doubtful = world.table.watched_item(item_id(1)).await.unwrap();
    let list = slot(Pace::Hour, Slot::of(item_id(1), Pace::Hour).number);
    let due = world.table.due_items(list, None, false).await.unwrap().items;
    assert_eq!(due.iter().collect::<Vec<_>>(), [&doubtful]);
    let unwatched = doubtful.with_interest(Interest::Unwatched).unwrap();
    let replace = world.table.replace_watched_item(&doubtful, &unwatched);
    assert_eq!(world.measure("replace_watched_item", "nobody watches it", replace).await, Ok(true));
    assert_eq!(world.table.due_items(list, None, false).await.unwrap().items, []);
    let watched = unwatched.with_interest(Interest::Watched).unwrap();
    assert_eq!(world.table.replace_watched_item(&unwatched, &watched).await, Ok(true));
    assert_eq!(world.table.due_items(list, None, false).await.unwrap().items, [watched]);
}

#[tokio::test]
async fn items_are_read_together_with_when_they_were_looked_at() {
    let world = World::new();
    let items: Vec<WatchedItem> = (1..=9).map(item).collect();
    for item in &items {
        world.table.create_watched_item(item).await.unwrap();
    }
    let ids: Vec<ItemId> = (1..=10).map(item_id).collect();
    let read = world.table.watched_items(&ids);
    let mut read = world.measure("watched_items", "9 of 10", read).await.unwrap();
    read.sort_by_key(|item| item.item_id);
    assert_eq!(read, items);

    let of = |number| Slot::of(item_id(number), Pace::Hour).number;
    let lists = DueList::of_shard(shard_of("shop.com"), Some(now()));
    let record = world.table.record_looks(&lists, later(5));
    world.measure("record_looks", "a shard's four slots", record).await.unwrap();
    let due = lists[1].slot.unwrap();
    let looks = world.table.last_looks(&items);
    let looks = world.measure("last_looks", "9 items of one shard", looks).await.unwrap();
    for number in 1..=9 {
        let expected = (of(number) == due).then(|| later(5));
        assert_eq!(looks.get(&item_id(number)).copied(), expected);
    }
    let all = DueList::of_shard(shard_of("shop.com"), None);
    world.table.record_looks(&all, later(9)).await.unwrap();
    let looks = world.table.last_looks(&items).await.unwrap();
    assert!((1..=9).all(|number| looks[&item_id(number)] == later(9)));
    assert!(world.table.last_looks(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_back_off_of_a_host_is_kept_until_it_works() {
    let world = World::new();
    let read = world.table.back_off("shop.com");
    assert!(world.measure("back_off", "", read).await.unwrap().is_default());
    let failing = BackOff::default().after(Reason::RateLimited, Some(600), now());
    let set = world.table.set_back_off("shop.com", &failing);
    world.measure("set_back_off", "it fails", set).await.unwrap();
    assert_eq!(world.table.back_off("shop.com").await, Ok(failing));
    let item = world.item(&keys::host("shop.com"));
    assert_eq!(item["ttl"], json!({"N": later(600 + DAY).unix_seconds().to_string()}));
    let works = BackOff::default();
    let set = world.table.set_back_off("shop.com", &works);
    world.measure("set_back_off", "it works", set).await.unwrap();
    assert!(world.table.back_off("shop.com").await.unwrap().is_default());
}

#[tokio::test]
async fn a_store_that_fails_is_unavailable() {
    let world = World::new();
    world.wire.always("PutItem", Fault::Throttled);
    assert!(is_unavailable(&world.table.create_watched_item(&item(1)).await));
}
