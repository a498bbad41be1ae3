//! Lists of flash sales, and random changes of them.

#![cfg(test)]

use super::*;
use crate::mutations::change;
use domain::money::HIGHEST_PRICE;
use proptest::{collection::vec, prelude::*};
use serde_json::{Value as Json, json};

fn address(path: &str) -> PageAddress {
    PageAddress::parse(&format!("https://shop.com{path}"), &Allowed::default()).unwrap()
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn list(entries: &[Json]) -> Vec<u8> {
    let entries = entries.iter().enumerate();
    let entries: Vec<Json> = entries
        .map(|(index, item)| json!({"@type": "ListItem", "position": index + 1, "item": item}))
        .collect();
    let list = json!({"@context": "https://schema.org", "@type": "ItemList", "itemListElement": entries});
    list.to_string().into_bytes()
}

fn event(changes: &Json) -> Json {
    let mut event = json!({
        "@type": "SaleEvent", "@id": "https://shop.com/sessions/now", "identifier": "now", "name": "Noon  sale",
        "startDate": "2026-11-21T12:00:00Z", "endDate": "2026-11-21T21:00:00+08:00", "url": "/sessions/now/items",
    });
    event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    event
}

fn sessions(body: &[u8]) -> Result<Vec<ListedSale>, Reason> {
    read_sessions(&address("/sale"), body, &Allowed::default(), now())
}

fn product(number: u32, price: &Json) -> Json {
    json!({
        "@type": "Product", "url": format!("https://shop.com/item/{number}?utm_source=sale"), "sku": number.to_string(),
        "name": format!("Flash item {number}"),
        "offers": {"@type": "Offer", "price": price, "priceCurrency": "SGD", "availability": "https://schema.org/InStock"},
    })
}

fn read(body: &[u8], link: &str) -> Result<SalePage, Reason> {
    read_page(&address("/sessions/now/items?page=2"), body, link, &Allowed::default())
}

/// Each entry as a line: its address, its price or reason.
fn lines(page: &SalePage) -> Vec<String> {
    let line = |entry: &Entry| match entry {
        Entry::Item(address, None) => format!("{} without offer", address.path_and_query()),
        Entry::Item(address, Some(Ok(observation))) => {
            let amount = observation.price.map_or_else(|| "-".to_owned(), |price| price.amount.to_string());
            format!("{} {} {amount}", address.path_and_query(), observation.name)
        }
        Entry::Item(address, Some(Err(reason))) => format!("{} {reason}", address.path_and_query()),
        Entry::Elsewhere => "elsewhere".to_owned(),
        Entry::Unreadable(reason) => reason.to_string(),
    };
    page.entries.iter().map(line).collect()
}

#[test]
fn sessions_are_read_with_their_times() {
    let read = sessions(&list(&[event(&json!({}))])).unwrap();
    let session = read[0].as_ref().unwrap();
    assert_eq!(
        json!(session),
        json!({"id": "now", "name": "Noon sale", "startsAt": "2026-11-21T12:00:00.000Z", "endsAt": "2026-11-21T13:00:00.000Z",
            "url": "https://shop.com/sessions/now/items", "readAt": "2026-11-21T12:00:00.000Z"})
    );
}

#[test]
fn a_session_that_cannot_be_crawled_is_skipped_and_the_rest_goes_on() {
    for (changes, fault) in [
        (json!({"identifier": ""}), "no identifier"),
        (json!({"identifier": "x".repeat(101)}), "identifier is too long or has control characters"),
        (json!({"startDate": "2026-11-21"}), "no startDate in RFC 3339"),
        (json!({"endDate": null}), "no endDate after startDate"),
        (json!({"endDate": "2026-11-21T12:00:00Z"}), "no endDate after startDate"),
        (json!({"url": null}), "no url"),
        (json!({"url": "http://127.0.0.1/items"}), "url is refused"),
        (json!({"url": "https://other.com/items"}), "url is on another host"),
    ] {
        let read =
            sessions(&list(&[event(&changes), json!("x"), event(&json!({})), event(&json!({}))])).unwrap();
        assert_eq!(read[0], Err(SkippedSession { position: 1, fault }));
        assert_eq!(read[1], Err(SkippedSession { position: 2, fault: "no SaleEvent" }));
        assert!(read[2].is_ok());
        let twice = SkippedSession { position: 4, fault: "identifier of an earlier session" };
        assert_eq!(read[3], Err(twice));
    }
    let many = vec![event(&json!({})); 30];
    assert_eq!(sessions(&list(&many)).unwrap().len(), MOST_SESSIONS);
}

#[test]
fn items_are_read_by_the_reader_of_pages() {
    let other_price =
        json!({"price": "31.90", "priceCurrency": "SGD", "availability": "https://schema.org/SoldOut"});
    let mut items = vec![product(1, &json!("31.90")), product(2, &json!(12)), product(3, &json!("a lot"))];
    let mut sold_out = product(4, &json!("1"));
    sold_out["offers"] = other_price;
    items.push(sold_out);
    let mut without_offer = product(5, &json!("1"));
    without_offer.as_object_mut().unwrap().remove("offers");
    items.push(without_offer);
    let mut elsewhere = product(6, &json!("1"));
    elsewhere["url"] = json!("https://other.com/item/6");
    items.push(elsewhere.clone());
    elsewhere["url"] = json!("http://127.0.0.1:9001/item");
    items.push(elsewhere.clone());
    elsewhere["url"] = json!("ftp://shop.com/item");
    items.push(elsewhere.clone());
    elsewhere.as_object_mut().unwrap().remove("url");
    items.extend([elsewhere, json!({"@type": "Article", "url": "/news"})]);
    let page = read(&list(&items), "").unwrap();
    assert_eq!(
        lines(&page),
        [
            "/item/1 Flash item 1 3190",
            "/item/2 Flash item 2 1200",
            "/item/3 bad-price",
            "/item/4 Flash item 4 3190",
            "/item/5 without offer",
            "elsewhere",
            "elsewhere",
            "scheme",
            "host",
            "no-product",
        ]
    );
}

#[test]
fn lists_may_have_other_forms() {
    for list in [
        json!([{"@type": "ItemList", "itemListElement": product(1, &json!("2"))}]),
        json!({"@graph": [{"@type": "WebSite"}, {"@type": "ItemList", "itemListElement": [product(1, &json!("2"))]}]}),
        json!({"@type": ["ItemList", "Thing"], "itemListElement": {"@type": "ListItem", "item": product(1, &json!("2"))}}),
    ] {
        assert_eq!(
            lines(&read(list.to_string().as_bytes(), "").unwrap()),
            ["/item/1 Flash item 1 200"],
            "{list}"
        );
    }
    let addresses = json!({"@type": "ItemList", "itemListElement":
        ["/item/1", {"@type": "ListItem", "url": "/item/2"}, {"@type": "ListItem", "item": "/item/3"}]});
    let expected = ["/item/1 without offer", "/item/2 without offer", "/item/3 without offer"];
    assert_eq!(lines(&read(addresses.to_string().as_bytes(), "").unwrap()), expected);
    assert_eq!(read(&list(&[]), "").unwrap().entries, []);
    for body in ["", "{", "<html>", "{\"@type\": \"Product\"}"] {
        assert_eq!(read(body.as_bytes(), ""), Err(Reason::NoProduct), "{body}");
        assert_eq!(sessions(body.as_bytes()), Err(Reason::NoProduct), "{body}");
    }
}

#[test]
fn links_lead_to_pages_of_the_same_host() {
    let links = |link: &str| read(&list(&[]), link).unwrap().links;
    let both = links("</sessions/now/items?page=3>; rel=\"next\", <?page=9>; rel=\"last\"");
    assert_eq!(both.next, Some((Some(3), "https://shop.com/sessions/now/items?page=3".to_owned())));
    assert_eq!(both.last, Some(9));
    assert_eq!(links("<?after=x>; rel=next").next.unwrap().0, None);
    for link in [
        "<https://other.com/?page=3>; rel=next, <https://other.com/?page=9>; rel=last",
        "<http://127.0.0.1/>; rel=next",
        "",
    ] {
        assert_eq!(links(link), PageLinks::default(), "{link}");
    }
}

#[test]
fn pages_are_numbered_in_the_query() {
    for (list, page) in [("/items", "/items?page=7"), ("/items?a=b&page=1&c=%26", "/items?a=b&c=%26&page=7")]
    {
        let page_7 = address(list).with_page(7, &Allowed::default()).unwrap();
        assert_eq!((page_7.path_and_query(), page_7.page_number()), (page, Some(7)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_a_list_is_read_or_refused(changes in vec(change(), 1..8)) {
        let changed = |mut body: Vec<u8>| {
            for change in &changes {
                change.apply(&mut body);
            }
            body
        };
        for session in sessions(&changed(list(&[event(&json!({})), event(&json!({}))]))).into_iter().flatten().flatten() {
            prop_assert!(session.url.starts_with("https://shop.com/") && session.ends_at > session.starts_at);
        }
        let items: Vec<Json> = (1..5).map(|number| product(number, &json!("31.90"))).collect();
        for entry in read(&changed(list(&items)), "").into_iter().flat_map(|page| page.entries) {
            let Entry::Item(address, listed) = entry else { continue };
            prop_assert_eq!(address.host(), "shop.com");
            let amount = listed.and_then(Result::ok).and_then(|listed| listed.price).map(|price| price.amount);
            prop_assert!(amount.is_none_or(|amount| (0..=HIGHEST_PRICE).contains(&amount)));
        }
    }
}
