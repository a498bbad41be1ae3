//! alert-send: who is told about a change, once, whatever dies in between.

use crate::{
    account_support::mail_send,
    alert::{dollars, item_id},
    alert_support::{Market, function, within},
};
use app::alerts::AlertTask;
use domain::{
    Input, Timestamp,
    alert::{Alert, AlertKind},
    mail::QueuedMail,
    notification_settings::NotificationSettings,
    observation::Availability,
};
use serde_json::{Value, json};
use tests::{
    Fault,
    samples::{account, later, user_id},
};

fn target(amount: i64) -> Alert {
    Alert::Target { price: dollars(amount) }
}

const ALL: fn() -> [Alert; 4] =
    || [target(900), Alert::Drop { percent: 10 }, Alert::Any, Alert::Lowest { days: 30 }];

#[tokio::test]
async fn a_fall_is_told_by_list_mail_and_webhook() {
    let market = Market::open().await;
    market.watch(1, &ALL()).await;
    market.watch(2, &[target(899)]).await;
    market.set_webhook(1, "/hook").await;
    let change = market.fall(3600, 900).await;
    market.queue(3602, &change);
    market.run().await;
    assert_eq!(
        market.kinds(1).await,
        [AlertKind::Target, AlertKind::Drop, AlertKind::Any, AlertKind::Lowest]
    );
    assert_eq!(market.told(2).await, []);
    let told = &market.told(1).await[0];
    assert_eq!((told.item_id, told.at), (Some(item_id(1)), later(3600)));
    assert_eq!((told.price, told.previous_price), (Some(dollars(900)), Some(dollars(1000))));

    // One mail tells all of it.
    let texts = market.texts();
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].matches("9.00 SGD, before: 10.00 SGD").count(), 4);
    assert_eq!(market.sent.borrow()[0]["Destination"]["ToAddresses"], json!(["user1@example.com"]));

    let calls = market.host.calls();
    assert_eq!(calls.len(), 4);
    for call in &calls {
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(body["data"]["itemId"], json!(item_id(1)));
        assert!(call.is_signed_with(&[7; 32]) && !call.is_signed_with(&[8; 32]));
    }
    let mut types: Vec<Value> =
        calls.iter().map(|call| serde_json::from_str::<Value>(&call.body).unwrap()["type"].clone()).collect();
    types.sort_by_key(ToString::to_string);
    assert_eq!(types, ["alert.any", "alert.drop", "alert.lowest", "alert.target"]);
}

#[tokio::test]
async fn five_hundred_users_are_told_once_each() {
    let market = Market::open().await;
    for number in 1..=600 {
        market.watch_only(number, &[target(if number <= 500 { 950 } else { 850 })]).await;
    }
    let change = market.fall(3600, 900).await;
    // The queue delivers the message twice.
    market.queue(3602, &change);
    market.queue(3602, &change);
    market.world.measured();
    market.run().await;
    for number in 1..=600 {
        assert_eq!(market.told(number).await.len(), usize::from(number <= 500), "{number}");
    }
}

#[tokio::test]
async fn an_alert_fires_again_only_after_the_price_has_left_and_returned() {
    let market = Market::open().await;
    market.watch_only(1, &[target(900)]).await;
    for (seconds, amount, told) in
        [(1, 900, 1), (2, 850, 1), (3, 950, 1), (4, 901, 1), (5, 900, 2), (6, 1000, 2)]
    {
        let change = market.fall(seconds * 3600, amount).await;
        market.queue(seconds * 3600, &change);
        market.run().await;
        assert_eq!(market.told(1).await.len(), told, "{amount}");
    }
}

#[tokio::test]
async fn what_is_never_stored_tells_nobody() {
    let market = Market::open().await;
    market.watch_only(1, &ALL()).await;
    let (lost, ..) = market.find(3600, Some(800), Availability::InStock).await;
    market.queue(3602, &lost);
    let end = market.run().await;
    assert!((3600 + 20 * 60..3600 + 21 * 60).contains(&end), "{end}");
    assert_eq!(market.told(1).await, []);

    // Another look was faster.
    let (slower, ..) = market.find(7200, Some(800), Availability::InStock).await;
    market.fall(7201, 1000 - 1).await;
    market.queue(7202, &slower);
    market.run().await;
    assert_eq!(market.told(1).await, []);
}

#[tokio::test]
async fn what_is_stored_late_or_replaced_since_is_told() {
    let market = Market::open().await;
    market.watch_only(1, &[target(900)]).await;
    let (change, seen, next) = market.find(3600, Some(800), Availability::InStock).await;
    market.queue(3602, &change);
    market.run_until(3650).await;
    assert_eq!(market.told(1).await, []);
    assert_eq!(market.world.table.replace_watched_item(&seen, &next).await, Ok(true));
    market.fall(3700, 990).await;
    market.run().await;
    assert_eq!(market.kinds(1).await, [AlertKind::Target]);
}

#[tokio::test]
async fn an_alert_that_was_set_after_a_change_is_not_about_it() {
    let market = Market::open().await;
    let change = market.fall(3600, 800).await;
    market.watch_only(1, &[target(900), Alert::Any]).await;
    market.queue(3602, &change);
    market.run().await;
    assert_eq!(market.told(1).await, []);
}

#[tokio::test]
async fn a_drop_is_counted_from_the_first_price() {
    let market = Market::open().await;
    market.look(3600, None, Availability::OutOfStock).await;
    market.watch_only(1, &[Alert::Drop { percent: 10 }, Alert::BackInStock]).await;
    for (hours, amount, kinds) in [(2, 500, vec![AlertKind::BackInStock]), (3, 451, vec![]), (4, 450, vec![])]
    {
        let change = market.fall(hours * 3600, amount).await;
        market.queue(hours * 3600, &change);
        market.run().await;
        let mut expected = kinds;
        if hours == 2 {
            assert_eq!(market.kinds(1).await, expected);
        }
        expected.clear();
    }
    assert_eq!(market.kinds(1).await, [AlertKind::Drop, AlertKind::BackInStock]);
    assert_eq!(market.told(1).await[0].price, Some(dollars(450)));
}

#[tokio::test]
async fn only_the_alerts_whose_period_has_no_lower_price_are_told_of_the_lowest() {
    const DAY: u64 = 24 * 60 * 60;
    let market = Market::open().await;
    market.look(DAY, Some(700), Availability::InStock).await;
    market.look(2 * DAY, Some(1000), Availability::InStock).await;
    market.watch_only(1, &[Alert::Lowest { days: 8 }]).await;
    market.watch_only(2, &[Alert::Lowest { days: 9 }]).await;
    let change = market.fall(10 * DAY, 700).await;
    market.queue(10 * DAY, &change);
    market.run().await;
    assert_eq!(market.kinds(1).await, [AlertKind::Lowest]);
    assert_eq!(market.told(2).await, []);
}

#[tokio::test]
async fn who_dies_between_any_two_steps_tells_each_user_once_when_the_message_comes_again() {
    for steps in 1.. {
        let market = Market::open().await;
        for number in 1..=3 {
            market.watch(number, &[target(900), Alert::Any]).await;
        }
        let change = market.fall(3600, 900).await;
        market.collect(0);
        let position = app::alerts::FanOutPosition::default();
        let task = AlertTask::Change { change: change.clone(), position };
        let app = function::App::new(market.context(3602)).unwrap();
        let done = within(steps, Box::pin(function::work_off(&app, task))).await.is_some();
        market.time.set(3602);
        market.collect(3602);
        if !done {
            market.queue(3602 + 360, &change);
        }
        market.run().await;
        for number in 1..=3 {
            assert_eq!(market.kinds(number).await, [AlertKind::Target, AlertKind::Any], "{steps}");
        }
        let texts = market.texts();
        assert_eq!(texts.iter().map(|text| text.matches("9.00 SGD").count()).sum::<usize>(), 6, "{steps}");
        if done {
            assert!(steps > 8, "{steps}");
            return;
        }
    }
}

#[tokio::test]
async fn mails_at_once_tell_each_notification_once() {
    let market = Market::open().await;
    market.watch(1, &ALL()).await;
    let change = market.fall(3600, 900).await;
    market.queue(3602, &change);
    // Only the change: the mails wait in their queue.
    let task = market.alerts.borrow_mut().pop().unwrap().1;
    market.work_off(3602, task).await.unwrap();
    let mails: Vec<QueuedMail> = market.mails.borrow_mut().drain(..).collect();
    assert_eq!(mails.len(), 4);
    let apps: Vec<_> = mails.iter().map(|_| mail_send::App::new(market.context(3607)).unwrap()).collect();
    let all = mails.into_iter().zip(&apps).map(|(mail, app)| mail_send::send(app, mail));
    futures::future::try_join_all(all).await.unwrap();
    market.collect(3607);
    let texts = market.texts();
    assert_eq!(texts.iter().map(|text| text.matches("9.00 SGD").count()).sum::<usize>(), 4);
}

#[tokio::test]
async fn a_mail_that_ses_does_not_take_is_sent_later_and_once() {
    let market = Market::open().await;
    market.watch(1, &[target(900)]).await;
    let change = market.fall(3600, 900).await;
    market.queue(3602, &change);
    market.world.wire.next("SendEmail", [Fault::Unreachable, Fault::Failing]);
    market.run().await;
    // The wire has seen two attempts that failed.
    assert_eq!(market.texts().len(), 3);
    assert!(market.world.table.unsent_notifications(user_id(1), later(999_999)).await.unwrap().is_empty());
}

#[tokio::test]
async fn mails_wait_for_the_end_of_quiet_hours_and_go_to_verified_addresses_only() {
    let market = Market::open().await;
    market.watch(1, &[target(900), Alert::Any]).await;
    let (user, email, credential) = account(2, "user2@example.com");
    market.world.table.register(&user, &email, &credential).await.unwrap();
    market.watch_only(2, &[target(900)]).await;
    // It is 17:30 when the tests begin.
    let quiet = json!({"quietHours": {"from": "18:00", "until": "07:00"}});
    let settings = NotificationSettings::from_json(quiet).unwrap();
    market.world.table.put_notification_settings(user_id(1), &settings).await.unwrap();
    let change = market.fall(3600, 900).await;
    market.queue(3602, &change);
    market.run_until(13 * 3600).await;
    assert_eq!((market.kinds(1).await.len(), market.texts().len()), (2, 0));
    let end = market.run().await;
    let seven: Timestamp = "2025-11-21T07:00:00Z".parse().unwrap();
    assert!(later(end) >= seven && later(end) < seven.plus_seconds(60), "{end}");
    assert_eq!(market.texts().len(), 1);
    assert_eq!(market.told(2).await.len(), 1);
}
