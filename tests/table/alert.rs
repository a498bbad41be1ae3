//! Watches, and the alerts that a change crosses.

use crate::together;
use domain::{
    Money,
    alert::{Alert, AlertKind, SetAlert, TriggerRange},
    observation::{Availability, ItemId, Observation, Validators},
    page::PageSize,
    watched_item::WatchedItem,
};
use std::sync::Arc;
use table::{WaitingAlert, Watch, keys};
use tests::{
    World,
    samples::{now, user_id},
};

pub fn item_id(number: u8) -> ItemId {
    ItemId::of_digest(&[number; 32])
}

pub fn dollars(amount: i64) -> Money {
    Money { amount, currency: "SGD".parse().unwrap() }
}

pub fn page(price: Option<Money>, availability: Availability) -> (Observation, Validators) {
    let name = "Green tea, 100 g".to_owned();
    (Observation { name, price, availability, from: false }, Validators::default())
}

/// An item that costs this, in stock.
pub fn item(number: u8, amount: i64) -> WatchedItem {
    let address = (format!("https://shop.com/products/{number}"), "shop.com".to_owned());
    let page = page(Some(dollars(amount)), Availability::InStock);
    WatchedItem::new(item_id(number), address, Ok(page), now())
}

fn target(amount: i64) -> Alert {
    Alert::Target { price: dollars(amount) }
}

/// A watch of item 1, which costs 1000, with these alerts.
pub fn watch(alerts: &[Alert]) -> Watch {
    let set = alerts.iter().map(|alert| SetAlert::new(*alert, &item(1, 1000))).collect();
    Watch::new(item_id(1), set, now())
}

async fn crossed(world: &World, range: TriggerRange) -> Vec<WaitingAlert> {
    world.table.crossed_alerts(item_id(1), &range, PageSize::DEFAULT, None).await.unwrap().items
}

fn fall(lowest: i64, below: i64) -> TriggerRange {
    TriggerRange::Prices { currency: "SGD".parse().unwrap(), lowest, below: Some(below) }
}

/// The sort keys of an item's entries.
fn entries(world: &World) -> Vec<String> {
    let partition = keys::alerts::alert_partition(item_id(1));
    let of_item = world.items().into_iter().filter(|item| item["pk"]["S"] == partition.as_str());
    let mut found: Vec<String> =
        of_item.map(|item| item["sk"]["S"].as_str().unwrap().replace(&user_id(1).to_string(), "U")).collect();
    found.sort();
    found
}

#[tokio::test]
async fn alerts_are_stored_replaced_and_deleted_with_their_watch() {
    let world = World::new();
    world.table.create_watched_item(&item(1, 1000)).await.unwrap();
    let first = watch(&[target(900), Alert::Drop { percent: 10 }, Alert::Any]);
    let create = world.table.create_watch(user_id(1), &first);
    assert_eq!(world.measure("create_watch", "with 3 alerts", create).await, Ok(first.clone()));
    let price = |amount: u32, kind| format!("TARGET#SGD#{amount:019}#U#{kind}");
    assert_eq!(entries(&world), ["ANY#U".to_owned(), price(900, "drop"), price(900, "target")]);

    let second = first.with_alerts(watch(&[target(800), Alert::Any]).alerts);
    let replace = world.table.replace_watch(user_id(1), &first, &second);
    assert_eq!(world.measure("replace_watch", "1 of 3 stays and 1 is new", replace).await, Ok(true));
    assert_eq!(entries(&world), ["ANY#U".to_owned(), price(800, "target")]);
    assert_eq!(world.table.watch(user_id(1), item_id(1)).await, Ok(second.clone()));

    // A repetition whose first answer was lost, and one that comes too late.
    assert_eq!(world.table.replace_watch(user_id(1), &first, &second).await, Ok(true));
    let late = first.with_alerts(Vec::new());
    let replace = world.table.replace_watch(user_id(1), &first, &late);
    assert_eq!(world.measure("replace_watch", "another change was faster", replace).await, Ok(false));
    assert_eq!(entries(&world).len(), 2);

    let delete = world.table.delete_watch(user_id(1), item_id(1));
    world.measure("delete_watch", "with 2 alerts", delete).await.unwrap();
    assert_eq!(entries(&world), [""; 0]);
    assert_eq!(world.table.delete_watch(user_id(1), item_id(1)).await, Ok(()));
    assert_eq!(world.table.replace_watch(user_id(1), &second, &second.with_alerts(vec![])).await, Ok(false));
}

#[tokio::test]
async fn of_changes_of_a_watch_at_once_all_entries_are_those_of_the_watch() {
    let world = Arc::new(World::new());
    world.table.create_watched_item(&item(1, 1000)).await.unwrap();
    let first = watch(&[target(1), target(2)]);
    world.table.create_watch(user_id(1), &first).await.unwrap();
    let written = together(&world, 6, |world, number| async move {
        let table = world.another_client();
        if number == 0 {
            return table.delete_watch(user_id(1), item_id(1)).await.is_ok();
        }
        let seen = watch(&[target(1), target(2)]);
        let next = seen.with_alerts(watch(&[target(2), target(number.into())]).alerts);
        table.replace_watch(user_id(1), &seen, &next).await.unwrap()
    })
    .await;
    assert!(written[0] && written[1..].iter().filter(|written| **written).count() <= 1);
    assert_eq!(entries(&world), [""; 0]);
}

#[tokio::test]
async fn two_alerts_that_wait_for_the_same_are_one_entry_until_both_are_gone() {
    let world = World::new();
    let cheap = item(1, 1);
    let drops = [Alert::Drop { percent: 10 }, Alert::Drop { percent: 20 }];
    let both = Watch::new(item_id(1), SetAlert::replace(&[], &drops, &cheap), now());
    world.table.create_watch(user_id(1), &both).await.unwrap();
    assert_eq!(entries(&world).len(), 1);
    let one = both.with_alerts(SetAlert::replace(&both.alerts, &drops[1..], &cheap));
    assert_eq!(world.table.replace_watch(user_id(1), &both, &one).await, Ok(true));
    assert_eq!(entries(&world).len(), 1);
    assert_eq!(world.table.replace_watch(user_id(1), &one, &one.with_alerts(vec![])).await, Ok(true));
    assert_eq!(entries(&world).len(), 0);
}

#[tokio::test]
async fn a_fall_finds_the_alerts_that_it_crosses_and_reads_no_others() {
    let world = World::new();
    for number in 1..=40 {
        let alerts = watch(&[target(i64::from(number) * 10), Alert::Any]);
        world.table.create_watch(user_id(number), &alerts).await.unwrap();
    }
    let range = fall(80, 100);
    let find = world.table.crossed_alerts(item_id(1), &range, PageSize::DEFAULT, None);
    let found = world.measure("crossed_alerts", "2 of 80", find).await.unwrap();
    let waiting = |number| WaitingAlert { user_id: user_id(number), kind: AlertKind::Target, seen: now() };
    assert_eq!((found.items, found.next), (vec![waiting(8), waiting(9)], None));
    assert_eq!(crossed(&world, fall(101, 110)).await, []);
    assert_eq!(crossed(&world, TriggerRange::Stock).await, []);
    assert_eq!(crossed(&world, TriggerRange::Lowest { days: 0 }).await, []);
    let euros = TriggerRange::Prices { currency: "EUR".parse().unwrap(), lowest: 0, below: None };
    assert_eq!(crossed(&world, euros).await, []);
}

#[tokio::test]
async fn crossed_alerts_are_read_by_page() {
    let world = World::new();
    for number in 1..=7 {
        let alerts = watch(&[Alert::Any, Alert::Lowest { days: 30 }, target(500)]);
        world.table.create_watch(user_id(number), &alerts).await.unwrap();
    }
    for range in [TriggerRange::AnyPrice, TriggerRange::Lowest { days: 30 }, fall(500, 501)] {
        let (mut users, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let size = PageSize::new(3).unwrap();
            let page = world.table.crossed_alerts(item_id(1), &range, size, after.as_ref()).await.unwrap();
            users.extend(page.items.into_iter().map(|alert| alert.user_id));
            (after, pages) = (page.next, pages + 1);
            if after.is_none() {
                break;
            }
        }
        assert_eq!((users, pages), ((1..=7).map(user_id).collect(), 3));
    }
    assert_eq!(crossed(&world, TriggerRange::Lowest { days: 29 }).await, []);
}
