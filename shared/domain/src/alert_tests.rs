//! Which alerts are valid, and which of them a change crosses.

#![cfg(test)]

use super::*;
use crate::observation::{Reason, Validators};
use serde_json::json;

const DAY: u64 = 24 * 60 * 60;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_milliseconds(seconds * 1000)
}

fn money(amount: i64, currency: &str) -> Money {
    Money { amount, currency: currency.parse().unwrap() }
}

fn dollars(amount: i64) -> Money {
    money(amount, "SGD")
}

fn page(price: Option<Money>, availability: Availability) -> (Observation, Validators) {
    let name = "Tea".to_owned();
    (Observation { name, price, availability, from: false }, Validators::default())
}

fn item(first: Result<(Observation, Validators), Reason>) -> WatchedItem {
    let address = ("https://shop.com/p".to_owned(), "shop.com".to_owned());
    WatchedItem::new(ItemId::of_digest(&[7; 32]), address, first, at(0))
}

fn at_price(amount: i64) -> WatchedItem {
    item(Ok(page(Some(dollars(amount)), Availability::InStock)))
}

fn changed(before: Option<Offered>, after: Offered) -> PriceChanged {
    let (name, url) = ("Tea".to_owned(), "https://shop.com/p".to_owned());
    PriceChanged {
        item_id: ItemId::of_digest(&[7; 32]),
        revision: 2,
        since: at(900),
        before,
        after,
        name,
        url,
    }
}

fn offered(price: impl Into<Option<Money>>, availability: Availability) -> Offered {
    Offered { price: price.into(), availability }
}

fn in_stock(price: Money) -> Offered {
    offered(price, Availability::InStock)
}

#[test]
fn alerts_are_read_and_written_in_one_form() {
    let alerts = json!([
        {"kind": "target", "price": {"amount": 999, "currency": "SGD"}},
        {"kind": "drop", "percent": 10},
        {"kind": "any"},
        {"kind": "backInStock"},
        {"kind": "lowest", "days": 90},
    ]);
    let read = Alert::list_from_value(alerts.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), alerts);
    assert_eq!(serde_json::from_value::<Vec<Alert>>(alerts).unwrap(), read);
    assert_eq!(read.iter().map(Alert::kind).collect::<Vec<_>>(), AlertKind::ALL);
    for kind in AlertKind::ALL {
        assert_eq!(json!(kind), json!(kind.code()));
    }
}

#[test]
fn an_alert_for_the_lowest_price_is_about_thirty_days_unless_it_says_otherwise() {
    let read = |alert| Alert::list_from_value(json!([alert]));
    assert_eq!(read(json!({"kind": "lowest"})), Ok(vec![Alert::Lowest { days: 30 }]));
    for days in [1, 365] {
        assert_eq!(read(json!({"kind": "lowest", "days": days})), Ok(vec![Alert::Lowest { days }]));
    }
    for percent in [1, 99] {
        let alert = json!({"kind": "drop", "percent": percent});
        assert_eq!(read(alert), Ok(vec![Alert::Drop { percent }]));
    }
}

#[test]
fn every_fault_of_every_alert_is_named() {
    let faults = |alerts| -> Vec<(String, String)> {
        let faults = Alert::list_from_value(alerts).unwrap_err();
        let named = |fault: Fault| match fault.location {
            crate::FaultLocation::Body(pointer) => (pointer, fault.detail),
            _ => panic!(),
        };
        faults.into_iter().map(named).collect()
    };
    let pointers =
        |alerts| -> Vec<String> { faults(alerts).into_iter().map(|(pointer, _)| pointer).collect() };
    assert_eq!(pointers(json!({})), [""]);
    assert_eq!(pointers(json!([1, {}, {"kind": 1}])), ["/0", "/1/kind", "/2/kind"]);
    assert_eq!(pointers(json!([{"kind": "target"}, {"kind": "drop"}])), ["/0/price", "/1/percent"]);
    assert_eq!(
        pointers(json!([{"kind": "target", "price": {"amount": 0}, "percent": 5, "days": 5}])),
        ["/0/price/amount", "/0/price/currency", "/0/days", "/0/percent"]
    );
    // Members of other kinds are not called unknown if the kind is faulty, and their values are checked.
    assert_eq!(
        pointers(json!([{"kind": "rise", "percent": 5, "days": 30, "price": dollars(1)}])),
        ["/0/kind"]
    );
    assert_eq!(
        pointers(json!([{"kind": "rise", "percent": 0, "days": 0, "price": 1}])),
        ["/0/kind", "/0/price", "/0/percent", "/0/days"]
    );
    for (alert, pointer) in [
        (json!({"kind": "drop", "percent": 0}), "/0/percent"),
        (json!({"kind": "drop", "percent": 100}), "/0/percent"),
        (json!({"kind": "drop", "percent": 1.5}), "/0/percent"),
        (json!({"kind": "lowest", "days": 0}), "/0/days"),
        (json!({"kind": "lowest", "days": 366}), "/0/days"),
        (json!({"kind": "lowest", "days": null}), "/0/days"),
        (json!({"kind": "any", "price": dollars(1)}), "/0/price"),
        (json!({"kind": "backInStock", "days": 1}), "/0/days"),
        (json!({"kind": "target", "price": null}), "/0/price"),
    ] {
        assert_eq!(pointers(json!([alert])), [pointer], "{alert}");
    }
    assert_eq!(pointers(json!([{"kind": "any"}, {"kind": "drop", "percent": 5}, {"kind": "any"}])), ["/2"]);
    assert_eq!(faults(json!(vec![json!({"kind": "any"}); 21]))[0].1, "must have 0 to 20 elements");
    let most: Vec<Value> = (1..=20).map(|percent| json!({"kind": "drop", "percent": percent})).collect();
    assert_eq!(Alert::list_from_value(json!(most)).map(|read| read.len()), Ok(20));
}

#[test]
fn an_alert_for_a_drop_waits_at_a_part_of_the_price_rounded_down() {
    let threshold = |amount, percent| SetAlert::new(Alert::Drop { percent }, &at_price(amount)).trigger();
    assert_eq!(threshold(1000, 10), Trigger::Price(dollars(900)));
    assert_eq!(threshold(999, 10), Trigger::Price(dollars(899)));
    assert_eq!(threshold(1, 99), Trigger::Price(dollars(0)));
    assert_eq!(threshold(i64::MAX, 50), Trigger::Price(dollars(i64::MAX / 2)));

    let sold_out = item(Ok(page(None, Availability::OutOfStock)));
    for without_price in [sold_out, item(Err(Reason::Timeout))] {
        let set = SetAlert::new(Alert::Drop { percent: 10 }, &without_price);
        assert_eq!(set.trigger(), Trigger::FirstPrice);
        let anchored = set.anchored(dollars(1000), at(900));
        assert_eq!((anchored.trigger(), anchored.seen), (Trigger::Price(dollars(900)), at(900)));
        assert_eq!(anchored.anchored(dollars(500), at(1800)), anchored);
    }
}

#[test]
fn other_alerts_wait_for_what_they_name() {
    for (alert, trigger) in [
        (Alert::Target { price: money(5, "EUR") }, Trigger::Price(money(5, "EUR"))),
        (Alert::Any, Trigger::AnyPrice),
        (Alert::BackInStock, Trigger::Stock),
        (Alert::Lowest { days: 90 }, Trigger::Lowest(90)),
    ] {
        let set = SetAlert::new(alert, &at_price(1000));
        assert_eq!((set.trigger(), set.threshold, set.seen), (trigger, None, at(0)));
    }
}

#[test]
fn alerts_that_stay_keep_their_thresholds() {
    let (drop, any) = (Alert::Drop { percent: 10 }, Alert::Any);
    let first = SetAlert::replace(&[], &[drop], &at_price(1000));
    let cheaper = at_price(1000).after(Ok(Some(page(Some(dollars(500)), Availability::InStock))), at(900));
    let second = SetAlert::replace(&first, &[any, drop], &cheaper.unwrap());
    assert_eq!(second[1], first[0]);
    assert_eq!((second[0].alert, second[0].seen), (any, at(900)));
}

/// Whether a change crosses the target: whether it is in the range.
fn crosses(change: &PriceChanged, target: Money) -> bool {
    change.crossed().iter().any(|range| match range {
        TriggerRange::Prices { currency, lowest, below } => {
            *currency == target.currency
                && *lowest <= target.amount
                && below.is_none_or(|below| target.amount < below)
        }
        _ => false,
    })
}

#[test]
fn a_target_is_crossed_by_a_fall_from_above_to_it_or_below() {
    for (old, new, target, is_crossed) in [
        (100, 90, 90, true),
        (100, 80, 90, true),
        (100, 91, 90, false),
        // It was there already.
        (90, 80, 90, false),
        (80, 70, 90, false),
        // It rises.
        (80, 100, 90, false),
        (80, 90, 90, false),
        (90, 90, 90, false),
        // It is free.
        (1, 0, 1, false),
        (2, 0, 1, true),
    ] {
        let change = changed(Some(in_stock(dollars(old))), in_stock(dollars(new)));
        assert_eq!(crosses(&change, dollars(target)), is_crossed, "{old} {new} {target}");
    }
}

#[test]
fn what_had_no_price_was_above_every_target() {
    for before in [None, Some(offered(None, Availability::OutOfStock))] {
        let change = changed(before, in_stock(dollars(80)));
        assert!(crosses(&change, dollars(80)) && crosses(&change, dollars(i64::MAX)));
        assert!(!crosses(&change, dollars(79)) && !crosses(&change, money(90, "EUR")));
        assert!(change.crossed().contains(&TriggerRange::FirstPrice));
    }
    let sold_out = changed(Some(in_stock(dollars(80))), offered(None, Availability::OutOfStock));
    assert_eq!(sold_out.crossed(), [TriggerRange::AnyPrice]);
}

#[test]
fn nothing_is_compared_across_currencies() {
    let change = changed(Some(in_stock(money(100, "USD"))), in_stock(money(80, "EUR")));
    assert_eq!(change.crossed(), [TriggerRange::FirstPrice]);
}

#[test]
fn a_change_of_the_price_crosses_the_alerts_for_any() {
    let crosses = |change: &PriceChanged| change.crossed().contains(&TriggerRange::AnyPrice);
    for (old, new) in [(100, 90), (90, 100)] {
        assert!(crosses(&changed(Some(in_stock(dollars(old))), in_stock(dollars(new)))));
    }
    let sold_out = offered(None, Availability::OutOfStock);
    assert!(crosses(&changed(Some(sold_out), in_stock(dollars(90)))));
    assert!(!crosses(&changed(None, in_stock(dollars(90)))));
    let only_stock = changed(Some(offered(dollars(90), Availability::OutOfStock)), in_stock(dollars(90)));
    assert_eq!(only_stock.crossed(), [TriggerRange::Stock]);
}

#[test]
fn a_product_is_back_when_it_was_not_in_stock() {
    use Availability::{BackOrder, Discontinued, InStock, OutOfStock, PreOrder, Unknown};
    let crosses = |before: Option<Availability>, after| {
        let before = before.map(|availability| offered(dollars(90), availability));
        changed(before, offered(dollars(90), after)).crossed().contains(&TriggerRange::Stock)
    };
    for before in [BackOrder, Discontinued, OutOfStock, PreOrder, Unknown] {
        assert!(crosses(Some(before), InStock), "{before:?}");
        assert!(!crosses(Some(InStock), before), "{before:?}");
    }
    assert!(crosses(None, InStock) && !crosses(Some(InStock), InStock) && !crosses(None, Unknown));
}

#[test]
fn only_a_fall_can_lead_to_the_lowest_price() {
    let may_be =
        |before, after| changed(before, after).crossed().contains(&TriggerRange::Lowest { days: 365 });
    assert!(may_be(Some(in_stock(dollars(100))), in_stock(dollars(99))));
    assert!(may_be(Some(offered(None, Availability::OutOfStock)), in_stock(dollars(99))));
    assert!(!may_be(Some(in_stock(dollars(99))), in_stock(dollars(99))));
    assert!(!may_be(Some(in_stock(dollars(99))), in_stock(dollars(100))));
    assert!(!may_be(None, in_stock(dollars(99))));
    assert!(!may_be(Some(in_stock(money(100, "USD"))), in_stock(dollars(99))));
}

fn past(amount: Option<i64>, since: u64) -> PastPrice {
    let price = amount.map(dollars);
    PastPrice { price, availability: Availability::InStock, from: false, since: at(since) }
}

/// For how many days 80 is the lowest price on day 400, after these prices, newest first.
fn days(history: &[(Option<i64>, u64)], all: bool) -> u16 {
    let mut change = changed(Some(in_stock(dollars(100))), in_stock(dollars(80)));
    change.since = at(400 * DAY);
    let mut lowest = LowestSince::new(&change).unwrap();
    for (index, (amount, day)) in history.iter().enumerate() {
        if !lowest.read(&past(*amount, day * DAY)) {
            assert_eq!(index + 1, history.len(), "read too much");
            return lowest.days(true);
        }
    }
    lowest.days(all)
}

#[test]
fn a_price_is_the_lowest_since_another_one_that_was_not_higher_ended() {
    assert_eq!(days(&[(Some(100), 390), (Some(80), 300)], true), 10);
    assert_eq!(days(&[(Some(100), 390), (Some(79), 300)], true), 10);
    assert_eq!(days(&[(Some(100), 390), (Some(81), 300), (Some(80), 290)], true), 100);
    assert_eq!(days(&[(Some(100), 390), (None, 350), (Some(70), 340)], true), 50);
    // Nothing was lower since it is watched, or as far back as was read.
    assert_eq!(days(&[(Some(100), 390)], true), MOST_DAYS);
    assert_eq!(days(&[(Some(100), 390)], false), 10);
    // Older than all periods.
    assert_eq!(days(&[(Some(100), 35)], true), MOST_DAYS);
    // It had no price before.
    assert_eq!(days(&[(None, 390)], true), 0);
    assert_eq!(days(&[], true), 0);
}

#[test]
fn prices_in_other_currencies_do_not_count_for_the_lowest() {
    let change = changed(Some(offered(None, Availability::OutOfStock)), in_stock(money(80, "EUR")));
    let mut lowest = LowestSince::new(&change).unwrap();
    assert!(lowest.read(&past(Some(10), 0)));
    assert_eq!(lowest.days(true), 0);
    assert_eq!(LowestSince::new(&changed(None, offered(None, Availability::OutOfStock))), None);
}

#[test]
fn a_change_of_price_or_availability_is_queued_and_nothing_else() {
    let item = at_price(100);
    let next = |page| item.after(Ok(Some(page)), at(900)).unwrap();
    let change = PriceChanged::between(&item, &next(page(Some(dollars(90)), Availability::InStock))).unwrap();
    assert_eq!(change, changed(Some(in_stock(dollars(100))), in_stock(dollars(90))));
    let sold_out = next(page(Some(dollars(100)), Availability::OutOfStock));
    assert!(PriceChanged::between(&item, &sold_out).is_some());

    let mut renamed = page(Some(dollars(100)), Availability::InStock);
    renamed.0.name = "Green tea".to_owned();
    assert_eq!(PriceChanged::between(&item, &next(renamed)), None);
    let failed = item.after(Err(Reason::Timeout), at(900)).unwrap();
    assert_eq!(PriceChanged::between(&item, &failed), None);
    let never_read = self::item(Err(Reason::Dns));
    assert_eq!(PriceChanged::between(&never_read, &never_read), None);
    let read = never_read.after(Ok(Some(page(None, Availability::OutOfStock))), at(900)).unwrap();
    assert_eq!(PriceChanged::between(&never_read, &read).map(|change| change.before), Some(None));
}

/// A message may have been queued by the version of the functions before this one.
#[test]
fn queued_changes_have_this_form() {
    let change = changed(None, in_stock(dollars(90)));
    let queued = json!({
        "itemId": "07070707-0707-8707-8707-070707070707", "revision": 2, "since": "1970-01-01T00:15:00.000Z",
        "before": null, "after": {"price": {"amount": 90, "currency": "SGD"}, "availability": "inStock"},
        "name": "Tea", "url": "https://shop.com/p",
    });
    assert_eq!(serde_json::to_value(&change).unwrap(), queued);
    assert_eq!(serde_json::from_value::<PriceChanged>(queued).unwrap(), change);
}

#[test]
fn a_change_is_stored_if_it_is_the_state_or_a_past_price() {
    let item = at_price(100);
    let next = item.after(Ok(Some(page(Some(dollars(90)), Availability::InStock))), at(900)).unwrap();
    let change = PriceChanged::between(&item, &next).unwrap();
    assert_eq!(change.stored(&item), Stored::NotYet);
    assert_eq!(change.stored(&next), Stored::Yes);
    // A later failure does not change what the page says.
    let failed = next.after(Err(Reason::Timeout), at(1800)).unwrap();
    assert_eq!(change.stored(&failed), Stored::Yes);

    let later = next.after(Ok(Some(page(Some(dollars(70)), Availability::InStock))), at(2700)).unwrap();
    assert_eq!(change.stored(&later), Stored::OrReplaced);
    assert!(change.is(&next.past().unwrap()));
    assert!(!change.is(&item.past().unwrap()) && !change.is(&later.past().unwrap()));
    let other = item.after(Ok(Some(page(Some(dollars(80)), Availability::InStock))), at(900)).unwrap();
    assert_eq!(change.stored(&other), Stored::OrReplaced);
    assert!(!change.is(&other.past().unwrap()));
}
