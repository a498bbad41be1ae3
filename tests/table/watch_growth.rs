//! Due items among many: each tick finds those that are due by a number of queries that is bounded, without a Scan.
//! `SOUK_WATCHED_ITEMS=100000` sets the number of items.

use domain::{
    observation::{ItemId, Reason},
    watched_item::{DueList, Pace, SHARDS, Slot, TICK_SECONDS, WatchedItem, shard_of},
};
use dynoxide::Item;
use serde_json::{Value, json};
use std::{collections::BTreeSet, env};
use table::keys;
use tests::{
    World,
    items::with_key,
    samples::{later, now},
};

/// Pages have this many items.
const PAGE: usize = 100;

fn watched(number: u32) -> WatchedItem {
    let mut digest = [0; 32];
    // Scattered as digests are.
    digest[..8].copy_from_slice(&(u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    digest[8..12].copy_from_slice(&number.to_be_bytes());
    let host = format!("shop{}.com", number % 997);
    let address = (format!("https://{host}/products/{number}"), host);
    let item = WatchedItem::new(ItemId::of_digest(&digest), address, Err(Reason::Timeout), now());
    let pace = Pace::ALL[usize::try_from(number % 4).unwrap()];
    WatchedItem { pace, ..item }
}

fn stored(item: &WatchedItem, model: &Value) -> Item {
    let mut attributes = model.clone();
    for (name, text) in [
        ("itemId", item.item_id.to_string()),
        ("url", item.url.clone()),
        ("host", item.host.clone()),
        ("pace", item.pace.code().to_owned()),
    ] {
        attributes[name] = json!({"S": text});
    }
    let mut stored: Item = serde_json::from_value(attributes).unwrap();
    with_key(&mut stored, ["pk", "sk"], keys::watched_item(item.item_id));
    let slot = Slot::of(item.item_id, item.pace);
    with_key(
        &mut stored,
        ["gsi2pk", "gsi2sk"],
        keys::due(slot, shard_of(&item.host), &item.host, item.item_id),
    );
    stored
}

#[tokio::test]
async fn a_tick_finds_what_is_due_by_a_bounded_number_of_queries() {
    let count = env::var("SOUK_WATCHED_ITEMS").map_or(4_000, |count| count.parse().unwrap());
    let world = World::new();
    let items: Vec<WatchedItem> = (0..count).map(watched).collect();
    world.table.create_watched_item(&items[0]).await.unwrap();
    let model = world.item(&keys::watched_item(items[0].item_id));
    world.import(items.iter().map(|item| stored(item, &model)).collect());
    world.measured();

    let tick = later(7 * TICK_SECONDS);
    let (mut found, mut lists) = (BTreeSet::new(), 0);
    for list in SHARDS.chars().flat_map(|shard| DueList::of_shard(shard, Some(tick))) {
        let mut position = None;
        loop {
            let due = world.table.due_items(list, position.as_ref(), false).await.unwrap();
            found.extend(due.items.into_iter().map(|item| item.item_id));
            position = due.next;
            if position.is_none() {
                break;
            }
        }
        lists += 1;
    }
    let is_due = |item: &&WatchedItem| Slot::due(tick).contains(&Slot::of(item.item_id, item.pace));
    let expected: BTreeSet<ItemId> = items.iter().filter(is_due).map(|item| item.item_id).collect();
    assert_eq!(found, expected);
    let sent = world.wire.take_sent();
    assert!(sent.iter().all(|sent| sent.operation == "Query"));
    // One for each list, and one for each page of it.
    assert!(sent.len() <= lists + found.len() / PAGE, "{} queries for {} items", sent.len(), found.len());
    let units = world.table.take_units();
    println!("{count} items: {} due, {} queries, {} read units", found.len(), sent.len(), units.read);
}
