//! Flash sales of the shop, which the state machine flash-sale-crawl crawls.

use crate::souk::{Call, SOUK, eventually, unique};
use domain::Timestamp;
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    time::{SystemTime, UNIX_EPOCH},
};

const CURRENT: &str = "/flash-sales/current";

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_milliseconds(u64::try_from(since.as_millis()).unwrap())
}

/// Runs the state machine. Returns what it says of this session, and the number of its states.
fn crawl(session: &str) -> (Value, usize) {
    let start = json!({"stateMachineArn": SOUK.output("FlashSaleCrawlMachineArn"), "input": "{}"});
    let execution = SOUK.aws("states", "AWSStepFunctions.StartExecution", &start)["executionArn"].clone();
    let execution = json!({"executionArn": execution});
    let describe = || SOUK.aws("states", "AWSStepFunctions.DescribeExecution", &execution);
    eventually("the crawl ends", || describe()["status"] != "RUNNING");
    let ended = describe();
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    let output: Value = serde_json::from_str(ended["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["source"]["failed"], Value::Null, "{output}");
    let reports = output["sessions"].as_array().unwrap();
    let report = reports.iter().find(|report| report["id"] == session).cloned().unwrap_or_default();
    let history = SOUK.aws("states", "AWSStepFunctions.GetExecutionHistory", &execution);
    let events = history["events"].as_array().unwrap().iter();
    (report, events.filter(|event| event["type"].as_str().unwrap().ends_with("StateEntered")).count())
}

/// The ids of the sessions that are on.
fn current() -> Vec<Value> {
    let answer = SOUK.get(CURRENT);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["sessions"].as_array().unwrap().iter().map(|session| session["id"].clone()).collect()
}

#[test]
fn a_flash_sale_is_crawled_shown_and_followed() {
    let (id, canary) = (unique(), TcpListener::bind("127.0.0.1:0").unwrap());
    canary.set_nonblocking(true).unwrap();
    let item = |number: u32, price: &str| json!({"sku": format!("{id}-{number}"), "price": price});
    let plain = format!("{}/item/{id}-plain", SOUK.shop_url);
    let elsewhere = format!("http://{}/item/1", canary.local_addr().unwrap());
    let sale = |first: &str| {
        json!({"sessions": [{
            "id": id, "name": "Noon sale", "startsAt": now().minus_seconds(60), "endsAt": now().plus_seconds(3600),
            "pageSize": 2, "items": [item(1, first), item(2, "20.00"), item(3, "30.00"), item(4, "40.00"), item(5, "a lot")],
            // Neither has an offer.
            "others": [{"@type": "Product", "url": plain}, {"@type": "Product", "url": elsewhere}],
        }]})
    };
    SOUK.shop_item(&format!("{id}-plain"), &json!({"price": "9.90"}));
    SOUK.call_shop("PUT", "flash-sale", &sale("10.00"));

    let (report, states) = crawl(&id);
    assert_eq!(
        report,
        json!({"id": id, "pages": 3, "items": 5, "new": 5, "changed": 0, "removed": 0, "elsewhere": 1, "failedPages": 0,
            "failedItems": 1,
            "failures": [{"page": 3, "item": format!("{}/item/{id}-5", SOUK.shop_url), "reason": "bad-price"}]})
    );
    // List, Map; and for the session: crawl, choice, end.
    assert_eq!(states, 5);
    assert!(current().contains(&json!(id)));
    let items = format!("{CURRENT}?session={id}");
    let pages = SOUK.walk(&format!("{items}&limit=2"), "itemId");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let answer = SOUK.get(&items);
    let find = |url: &str| answer.body["items"].as_array().unwrap().iter().find(|item| item["url"] == url);
    let first = find(&format!("{}/item/{id}-1", SOUK.shop_url)).unwrap();
    assert_eq!(first["price"], json!({"amount": 1000, "currency": "SGD"}));
    assert_eq!((&first["availability"], &first["name"]), (&json!("inStock"), &json!(format!("Item {id}-1"))));
    assert_eq!(find(&plain).unwrap()["price"]["amount"], 990);
    assert_eq!(canary.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);

    // A page that fails does not hide what another one says.
    SOUK.call_shop("PUT", "flash-sale", &sale("8.00"));
    SOUK.call_shop("POST", "faults", &json!({"id": id, "path": format!("{id}/items?page=2"), "status": 500}));
    let (report, _) = crawl(&id);
    SOUK.call_shop("DELETE", &format!("faults/{id}"), &Value::Null);
    assert_eq!(
        (&report["changed"], &report["removed"], &report["failedPages"]),
        (&json!(1), &json!(0), &json!(1))
    );
    // Somebody who watches it now finds its past price.
    let user = SOUK.user();
    let watched = SOUK.send(user.call("POST", "/watchlist").json(&json!({"url": first["url"]})));
    assert_eq!((watched.status, &watched.body["itemId"]), (201, &first["itemId"]), "{watched:?}");
    let prices = SOUK.send(user.call("GET", &format!("/items/{}/prices", first["itemId"].as_str().unwrap())));
    let amounts: Vec<_> =
        prices.body["items"].as_array().unwrap().iter().map(|item| &item["price"]["amount"]).collect();
    assert_eq!(amounts, [800, 1000]);
    assert_eq!(SOUK.walk(&items, "itemId")[0].len(), 5);

    let tag = SOUK.get(&items).header("etag").to_owned();
    let again = SOUK.send(Call::new("GET", &items).header("if-none-match", &tag));
    assert_eq!((again.status, again.header("cache-control")), (304, "public, max-age=60"));
    SOUK.get(&format!("{CURRENT}?session={id}x")).problem(404, "not-found");
    assert_eq!(SOUK.get(&format!("{CURRENT}?limit=5")).problem(400, "validation").faults(), ["limit"]);

    SOUK.call_shop("PUT", "flash-sale", &json!({"sessions": []}));
    assert_eq!(crawl(&id).0, Value::Null);
    assert!(!current().contains(&json!(id)));
    SOUK.get(&items).problem(404, "not-found");
}
