//! Sessions of flash sales and their items.

use crate::is_unavailable;
use domain::{
    Money, Timestamp,
    flash_sale::{FlashSale, SaleId, SaleItem},
    observation::{Availability, ItemId, Observation},
    page::PageSize,
    watched_item::{DueList, Interest, WatchedItem, shard_of},
};
use serde_json::json;
use table::keys;
use tests::{
    Fault, World,
    samples::{later, now},
};

fn id() -> SaleId {
    "noon".parse().unwrap()
}

fn sale(read_at: Timestamp) -> FlashSale {
    FlashSale {
        id: id(),
        name: "Noon sale".to_owned(),
        starts_at: now(),
        ends_at: later(3600),
        url: "https://shop.com/sessions/noon/items".to_owned(),
        read_at,
    }
}

fn item_id(number: u16) -> ItemId {
    let mut digest = [7; 32];
    digest[..2].copy_from_slice(&number.to_be_bytes());
    ItemId::of_digest(&digest)
}

fn observed(amount: i64) -> Observation {
    let price = Some(Money { amount, currency: "SGD".parse().unwrap() });
    Observation { name: "Flash item".to_owned(), price, availability: Availability::InStock, from: false }
}

fn sold(number: u16, amount: i64, read_at: Timestamp) -> SaleItem {
    SaleItem {
        item_id: item_id(number),
        url: format!("https://shop.com/item/{number}"),
        observation: observed(amount),
        read_at,
        expires_at: sale(now()).expires_at(),
    }
}

#[tokio::test]
async fn a_session_is_replaced_and_deleted_by_later_lists_only() {
    let world = World::new();
    let (older, newer) = (sale(later(8)), sale(later(9)));
    let put = world.table.put_flash_sale(&newer);
    assert_eq!(world.measure("put_flash_sale", "", put).await, Ok(true));
    let key = keys::flash_sale(now(), &id());
    let ttl = later(3600 + 7 * 24 * 3600).unix_seconds();
    assert_eq!(world.item(&key)["ttl"], json!({"N": ttl.to_string()}));
    let put = world.table.put_flash_sale(&older);
    assert_eq!(world.measure("put_flash_sale", "from an older list", put).await, Ok(false));
    let delete = world.table.delete_flash_sale(&older, later(8));
    assert_eq!(world.measure("delete_flash_sale", "from a later list", delete).await, Ok(false));
    let read = world.table.flash_sales();
    assert_eq!(world.measure("flash_sales", "", read).await, Ok(vec![newer.clone()]));
    // Answers that were lost.
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(world.table.put_flash_sale(&sale(later(10))).await, Ok(true));
    let delete = world.table.delete_flash_sale(&newer, later(11));
    assert_eq!(world.measure("delete_flash_sale", "", delete).await, Ok(true));
    assert_eq!(world.table.delete_flash_sale(&newer, later(11)).await, Ok(true));
    assert_eq!(world.table.flash_sales().await, Ok(vec![]));
}

#[tokio::test]
async fn sessions_are_read_those_that_began_last_first() {
    let world = World::new();
    for (name, starts_at) in [("a", now()), ("b", later(60)), ("c", now())] {
        let sale = FlashSale { id: name.parse().unwrap(), starts_at, ..sale(now()) };
        world.table.put_flash_sale(&sale).await.unwrap();
    }
    let read = world.table.flash_sales().await.unwrap();
    assert_eq!(read.iter().map(|sale| sale.id.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
}

#[tokio::test]
async fn an_item_of_a_session_is_replaced_and_deleted_by_later_lists_only() {
    let world = World::new();
    let (id, older, newer) = (id(), sold(1, 200, later(8)), sold(1, 100, later(9)));
    let put = world.table.put_sale_item(&id, &newer);
    assert_eq!(world.measure("put_sale_item", "", put).await, Ok(true));
    let put = world.table.put_sale_item(&id, &older);
    assert_eq!(world.measure("put_sale_item", "from an older list", put).await, Ok(false));
    let delete = world.table.delete_sale_item(&id, item_id(1), later(9));
    assert_eq!(world.measure("delete_sale_item", "from a later list", delete).await, Ok(false));
    let all = world.table.all_sale_items(&id).await.unwrap();
    assert_eq!(all[&item_id(1)], newer);
    let delete = world.table.delete_sale_item(&id, item_id(1), later(10));
    assert_eq!(world.measure("delete_sale_item", "", delete).await, Ok(true));
    assert!(world.table.all_sale_items(&id).await.unwrap().is_empty());
}

#[tokio::test]
async fn items_of_a_session_are_read_by_page_and_all_at_once() {
    let (world, id) = (World::new(), id());
    for number in 1..=50 {
        world.table.put_sale_item(&id, &sold(number, 100, now())).await.unwrap();
    }
    let size = PageSize::new(20).unwrap();
    let page = world.table.sale_items(&id, size, None);
    let page = world.measure("sale_items", "20 of 50", page).await.unwrap();
    assert_eq!(
        page.items.iter().map(|item| item.item_id).collect::<Vec<_>>(),
        (1..=20).map(item_id).collect::<Vec<_>>()
    );
    let rest = world.table.sale_items(&id, PageSize::new(30).unwrap(), page.next).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (30, None));
    let other = world.table.sale_items(&"other".parse().unwrap(), size, None).await.unwrap();
    assert_eq!((other.items, other.next), (vec![], None));
    let all = world.table.all_sale_items(&id);
    assert_eq!(world.measure("all_sale_items", "50 items", all).await.unwrap().len(), 50);
}

#[tokio::test]
async fn an_item_of_a_sale_is_not_due_until_somebody_watches_it() {
    let world = World::new();
    let address = ("https://shop.com/item/1".to_owned(), "shop.com".to_owned());
    let in_sale = WatchedItem::in_sale(item_id(1), address, observed(100), now());
    let create = world.table.create_watched_item(&in_sale);
    assert_eq!(world.measure("create_watched_item", "of a sale", create).await, Ok(in_sale.clone()));
    let due = async || {
        let mut due = Vec::new();
        for list in DueList::of_shard(shard_of("shop.com"), None) {
            due.extend(world.table.due_items(list, None, false).await.unwrap().items);
        }
        due
    };
    assert_eq!(due().await, []);
    let next = in_sale.after_list(&observed(90), later(60)).unwrap();
    let replace = world.table.replace_watched_item(&in_sale, &next);
    assert_eq!(world.measure("replace_watched_item", "of a sale", replace).await, Ok(true));
    assert_eq!(due().await, []);
    // In another sale it is the same item.
    assert_eq!(world.table.create_watched_item(&in_sale).await, Ok(next.clone()));

    let watched = next.with_interest(Interest::Watched).unwrap();
    assert_eq!(world.table.replace_watched_item(&next, &watched).await, Ok(true));
    assert_eq!(due().await, [watched]);
    let history = world.table.price_history(item_id(1), PageSize::DEFAULT, None).await.unwrap();
    assert_eq!(history.past.items, [in_sale.past().unwrap()]);
}

#[tokio::test]
async fn a_store_that_fails_is_unavailable() {
    let world = World::new();
    world.wire.always("PutItem", Fault::Throttled);
    assert!(is_unavailable(&world.table.put_flash_sale(&sale(now())).await));
    assert!(is_unavailable(&world.table.put_sale_item(&id(), &sold(1, 100, now())).await));
}
