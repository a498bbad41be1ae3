//! The literal keys of stored items, and their order.

use super::*;
use domain::{
    Money,
    alert::{AlertKind, Trigger, TriggerRange},
    id::{ExperimentId, Id},
    notification::{NotificationId, NotificationKind},
    observation::ItemId,
    watched_item::{Pace, Slot},
};
use serde_json::json;

fn assert_key(key: &Key, pk: &str, sk: &str) {
    assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
}

/// The stored items have these literal keys: changing one makes existing data unreachable.
#[test]
fn literal_keys() {
    let now = Timestamp::from_unix_milliseconds(1_763_659_827_040);
    let user = UserId::new(now, [1; 10]);
    let product_id = ProductId::new(now, [2; 10]);
    let session_id = SessionId::new(now, [3; 10]);
    let (u, p, s) = (
        "019aa251-4760-7101-8101-010101010101",
        "019aa251-4760-7202-8202-020202020202",
        "019aa251-4760-7303-8303-030303030303",
    );
    let email = Email::from_value(json!("Ada@Example.com")).unwrap();
    let position = ReviewPosition { created_at: now, author_id: user };
    assert_key(&credential(&email), "EMAIL#ada@example.com", "CREDENTIAL");
    assert_key(&profile(user), &format!("USER#{u}"), "PROFILE");
    assert_key(&mail_tokens(TokenUse::Verification, user), &format!("VERIFY#{u}"), "TOKENS");
    assert_key(&mail_tokens(TokenUse::PasswordReset, user), &format!("RESET#{u}"), "TOKENS");
    assert_key(&session_of(user, session_id), &format!("SESSION#{u}"), s);
    assert_key(&product(product_id), &format!("PRODUCT#{p}"), "PRODUCT");
    assert_key(&product_on_page(product_id), &format!("PRODUCT#{p}"), "~PRODUCT");
    assert_key(&product_in_category(&"Books".parse().unwrap(), product_id), "CATEGORY#Books", p);
    assert_key(&category_count(&"Books".parse().unwrap(), shard_of(product_id)), "CATEGORIES#2", "Books");
    assert_key(&newest_product(product_id), "NEWEST", p);
    assert_key(&sellers_product(user, product_id), &format!("USER#{u}"), &format!("PRODUCT#{p}"));
    assert_key(&stock(product_id), &format!("PRODUCT#{p}"), "PRODUCT#STOCK");
    assert_key(&stock_on_page(product_id), &format!("PRODUCT#{p}"), "~STOCK");
    assert_key(&rating(product_id), &format!("PRODUCT#{p}"), "RATING");
    assert_key(&rating_on_page(product_id), &format!("PRODUCT#{p}"), "~RATING");
    assert_key(&review(product_id, user), &format!("PRODUCT#{p}"), &format!("REVIEW#{u}"));
    let on_page = format!("REVIEW#2025-11-20T17:30:27.040Z#{u}");
    assert_key(&review_on_page(product_id, &position), &format!("PRODUCT#{p}"), &on_page);
    assert_key(
        &purchase(user, product_id, OrderId::new(now, [5; 10])),
        &format!("BOUGHT#{u}"),
        &format!("{p}#019aa251-4760-7505-8505-050505050505"),
    );
    let item = ItemId::of_digest(&[7; 32]);
    let i = "07070707-0707-8707-8707-070707070707";
    assert_key(&watched_item(item), &format!("ITEM#{i}"), "STATE");
    assert_key(&past_price(item, now), &format!("ITEM#{i}"), "PRICE#2025-11-20T17:30:27.040Z");
    let sale = "noon#1".parse().unwrap();
    assert_key(&flash_sale(now, &sale), "FLASHSALE", "2025-11-20T17:30:27.040Z#noon#1");
    assert_key(&sale_item(&sale, item), "FLASHSALE#noon#1", &format!("ITEM#{i}"));
    assert_key(&watch(user, item), &format!("WATCHES#{u}"), i);
    let slot = Slot { pace: Pace::SixHours, number: 23 };
    assert_key(&due(slot, 'c', "shop.com", item), "DUE#6h#c", &format!("23#shop.com#{i}"));
    assert_key(&crawl_run(Some(slot), 'c'), "CRAWL#6h#23", "c");
    assert_key(&crawl_run(None, 'c'), "CRAWL#ALL", "c");
    assert_key(&host("shop.com:8080"), "HOST#shop.com:8080", "STATE");
    assert_key(&watcher(item, user), &format!("ITEM#{i}"), &format!("WATCHER#{u}"));
    assert_key(&authors_reviews(user, 1_763_715_600), &format!("REVIEWS#{u}"), "1763715600");
    assert_key(&closed(user), "CLOSED#1", u);
    let key = idempotency(user, "product-create", "k");
    assert_key(&key, &format!("USER#{u}"), "IDEMPOTENCY#product-create#k");
    assert_key(&limit("log-in", "source", "192.0.2.1", 900), "LIMIT#log-in#source#192.0.2.1", "900");
    assert_key(&signing_key("k1"), "SIGNING", "KEY#k1");
    assert_key(&webhook_event("evt_1"), "EVENT#evt_1", "EVENT");
    assert_key(&event_period(), "EVENTS", "PERIOD");
    assert_key(&probe(), "PROBE", "PROBE");
    let experiment_id = ExperimentId::new(now, [4; 10]);
    let partition = format!("EXPERIMENT#{experiment_id}");
    assert_key(&experiments::experiment(experiment_id), &partition, "EXPERIMENT");
    assert_key(&experiments::experiment_count(experiment_id), &partition, "COUNT");
    assert_key(&experiments::count_lease(experiment_id), &partition, "COUNT#LEASE");
    let stopped = experiments::at_time(experiments::STOPPED, now, experiment_id);
    assert_key(&stopped, "EXPERIMENTS#STOPPED", &format!("{now}#{experiment_id}"));
    assert_key(&event_batch(p.parse().unwrap()), &format!("EVENTS#{p}"), "EVENTS");
    let order_id = OrderId::new(now, [3; 10]);
    assert_key(&order(user, order_id), &format!("USER#{u}"), &format!("ORDER#{s}"));
    assert_key(&unsettled(order_id), "UNSETTLED#3", s);
    assert_key(&withdrawn(product_id), "WITHDRAWN#2", p);
    assert_key(&unfinished(ConcertId::new(now, [3; 10])), "UNFINISHED#3", s);
    let (band_id, venue_id, concert_id) =
        (BandId::new(now, [1; 10]), VenueId::new(now, [2; 10]), ConcertId::new(now, [3; 10]));
    let (concert_pk, starts) = (format!("CONCERT#{s}"), format!("2025-11-20T17:30:27.040Z#{s}"));
    assert_key(&band(band_id), &format!("BAND#{u}"), "BAND");
    assert_key(&venue(venue_id), &format!("VENUE#{p}"), "VENUE");
    assert_key(&concert(concert_id), &concert_pk, "CONCERT");
    assert_key(&concert_request(concert_id), &concert_pk, "REQUEST");
    assert_key(&line_up_entry(concert_id, band_id), &concert_pk, &format!("BAND#{u}"));
    assert_key(&concert_place(concert_id, Level::Middle), &concert_pk, "GEO#MIDDLE");
    assert_key(&concert_place(concert_id, Level::Fine), &concert_pk, "GEO#FINE");
    assert_key(&concert_of_band(band_id, now, concert_id), &format!("BAND#{u}"), &starts);
    assert_key(&concert_in_cell("8265", now, concert_id), "GEO#8265", &starts);
}

#[test]
fn parsing_a_key_returns_the_ids_it_was_built_from() {
    let now = Timestamp::from_unix_milliseconds(1);
    let (user, id) = (UserId::new(now, [1; 10]), ProductId::new(now, [2; 10]));
    assert_eq!(parse_sellers_product(&sellers_product(user, id).sk), Some(id));
    assert_eq!(parse_sellers_product("PRODUCT#x"), None);
    assert_eq!(parse_product_partition(&product_partition(id)), Some(id));
    assert_eq!(parse_review(&review(id, user).sk), Some(user));
    let position = ReviewPosition { created_at: now, author_id: user };
    assert_eq!(parse_review_on_page(&review_on_page(id, &position).sk), Some(position));
    let order_id = OrderId::new(now, [3; 10]);
    assert_eq!(parse_order(&order(user, order_id).sk), Some(order_id));
    assert_eq!(parse_signing_key(&signing_key("k").sk), Some("k"));
    let session_id = SessionId::new(now, [4; 10]);
    assert_eq!(parse_session(&session_of(user, session_id).sk), Some(session_id));
}

#[test]
fn keys_that_may_contain_an_email_address_are_private() {
    let email = Email::from_value(json!("ada@example.com")).unwrap();
    let user = UserId::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
    assert!(is_private(&credential(&email).pk));
    assert!(is_private(&limit("log-in", "email", &email.account(), 900).pk));
    assert!(!is_private(&profile(user).pk));
}

/// The page Query reads in descending order: stock, rating, product, newest review.
#[test]
fn the_page_query_returns_stock_then_rating_then_product_then_reviews() {
    let now = Timestamp::from_unix_milliseconds(0);
    let position = ReviewPosition { created_at: now, author_id: UserId::new(now, [255; 10]) };
    let id = ProductId::new(now, [0; 10]);
    assert!(stock_on_page(id).sk > rating_on_page(id).sk);
    assert!(rating_on_page(id).sk > product_on_page(id).sk);
    assert!(product_on_page(id).sk > review_on_page(id, &position).sk);
}

/// One Query reads a product, its stock and its rating, and no review.
#[test]
fn stock_is_between_product_and_rating_and_reviews_are_not() {
    let now = Timestamp::from_unix_milliseconds(0);
    let id = ProductId::new(now, [0; 10]);
    let listed = product(id).sk..=rating(id).sk;
    assert!(listed.contains(&stock(id).sk));
    for byte in [0, 255] {
        assert!(!listed.contains(&review(id, UserId::new(now, [byte; 10])).sk));
    }
}

#[test]
fn literal_keys_of_alerts_and_notifications() {
    let now = Timestamp::from_unix_milliseconds(1_763_659_827_040);
    let (item, user) = (ItemId::of_digest(&[7; 32]), UserId::new(now, [1; 10]));
    let (i, u) = ("07070707-0707-8707-8707-070707070707", "019aa251-4760-7101-8101-010101010101");
    let price = Money { amount: 999, currency: "SGD".parse().unwrap() };
    for (trigger, kind, sk) in [
        (Trigger::Price(price), AlertKind::Drop, format!("TARGET#SGD#0000000000000000999#{u}#drop")),
        (Trigger::FirstPrice, AlertKind::Drop, format!("FIRST#{u}")),
        (Trigger::AnyPrice, AlertKind::Any, format!("ANY#{u}")),
        (Trigger::Stock, AlertKind::BackInStock, format!("STOCK#{u}")),
        (Trigger::Lowest(30), AlertKind::Lowest, format!("LOW#030#{u}")),
    ] {
        assert_key(&alerts::alert(item, trigger, user, kind), &format!("ALERTS#{i}"), &sk);
    }
    let partition = format!("NOTICES#{u}");
    let kind = NotificationKind::Alert(AlertKind::Lowest);
    let id = NotificationId { at: now, item_id: Some(item), kind };
    let sk = format!("NOTICE#2025-11-20T17:30:27.040Z#{i}#lowest");
    assert_key(&alerts::notification(user, &id), &partition, &sk);
    let id = NotificationId { at: now, item_id: None, kind: NotificationKind::WebhookDisabled };
    let sk = "NOTICE#2025-11-20T17:30:27.040Z##webhookDisabled";
    assert_key(&alerts::notification(user, &id), &partition, sk);
    assert_key(&alerts::settings(user), &partition, "SETTINGS");
    assert_key(&alerts::webhook(user), &partition, "WEBHOOK");
    assert_key(&alerts::webhook_secret(user), &format!("WEBHOOKSECRET#{u}"), "SECRET");
}

#[test]
fn the_alerts_of_a_range_sort_between_its_ends() {
    let now = Timestamp::from_unix_milliseconds(1_763_659_827_040);
    let (item, user) = (ItemId::of_digest(&[7; 32]), UserId::new(now, [1; 10]));
    let currency = "SGD".parse().unwrap();
    let within = |range: TriggerRange, trigger| {
        let (first, last) = alerts::alert_range(&range);
        let sk = alerts::alert(item, trigger, user, AlertKind::Target).sk;
        (first..=last).contains(&sk)
    };
    let at = |amount| Trigger::Price(Money { amount, currency });
    let fall = TriggerRange::Prices { currency, lowest: 90, below: Some(1000) };
    for (amount, is_within) in [(89, false), (90, true), (99, true), (100, true), (999, true), (1000, false)]
    {
        assert_eq!(within(fall, at(amount)), is_within, "{amount}");
    }
    let first = TriggerRange::Prices { currency, lowest: 90, below: None };
    assert!(within(first, at(i64::MAX)) && !within(first, at(89)));
    let euros = Trigger::Price(Money { amount: 95, currency: "EUR".parse().unwrap() });
    assert!(!within(first, euros) && !within(fall, euros));
    for (days, is_within) in [(1, true), (30, true), (31, false), (365, false)] {
        assert_eq!(within(TriggerRange::Lowest { days: 30 }, Trigger::Lowest(days)), is_within, "{days}");
    }
    assert!(!within(TriggerRange::Lowest { days: 0 }, Trigger::Lowest(1)));
    let (ranges, triggers) = (
        [TriggerRange::FirstPrice, TriggerRange::AnyPrice, TriggerRange::Stock],
        [Trigger::FirstPrice, Trigger::AnyPrice, Trigger::Stock],
    );
    for (index, range) in ranges.into_iter().enumerate() {
        for (other, trigger) in triggers.into_iter().enumerate() {
            assert_eq!(within(range, trigger), index == other, "{range:?} {trigger:?}");
        }
    }
}
