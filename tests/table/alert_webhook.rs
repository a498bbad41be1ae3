//! alert-send: calls of webhooks, their repetition, and their end.

use crate::{
    alert::dollars,
    alert_support::{Market, function, within},
};
use app::alerts::AlertTask;
use domain::{
    alert::{Alert, AlertKind},
    notification::{Deliveries, Notification, NotificationKind},
};
use serde_json::json;
use table::keys;
use tests::samples::{later, user_id};

fn target(amount: i64) -> Alert {
    Alert::Target { price: dollars(amount) }
}

#[tokio::test]
async fn a_webhook_that_fails_is_called_again_until_it_takes_the_notification() {
    let market = Market::open().await;
    market.watch_only(1, &[target(900)]).await;
    market.set_webhook(1, "/hook").await;
    market.host.answer([500, 302, 200]);
    let change = market.fall(3600, 900).await;
    market.queue(3602, &change);
    market.run_until(3603).await;
    let failing = market.world.table.webhook(user_id(1)).await.unwrap();
    assert_eq!((market.host.calls().len(), failing.failing_since), (1, Some(later(3602))));
    let end = market.run().await;
    assert_eq!(end, 3602 + 5 + 300);
    let calls = market.host.calls();
    let ids: std::collections::BTreeSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!((calls.len(), ids.len()), (3, 1));
    assert_eq!(market.world.table.webhook(user_id(1)).await.unwrap().failing_since, None);
}

#[tokio::test]
async fn a_webhook_that_fails_for_a_day_or_is_gone_is_disabled_and_its_user_told() {
    for (status, calls) in [(500, 8), (410, 1)] {
        let market = Market::open().await;
        market.watch(1, &[target(900)]).await;
        market.set_webhook(1, "/hook").await;
        market.host.answer(vec![status; calls]);
        let change = market.fall(3600, 900).await;
        market.queue(3602, &change);
        market.run().await;
        assert_eq!(market.host.calls().len(), calls);
        let told = market.told(1).await;
        assert_eq!((told.len(), told[0].kind), (2, NotificationKind::WebhookDisabled));
        assert!(market.texts().iter().any(|text| text.contains("was disabled")));
        assert_eq!(market.world.table.webhook(user_id(1)).await.unwrap().disabled_at, Some(told[0].at));

        market.fall(200_000, 1000).await;
        let change = market.fall(203_600, 900).await;
        market.queue(203_602, &change);
        market.run().await;
        assert_eq!((market.host.calls().len(), market.told(1).await.len()), (calls, 3));
    }
}

#[tokio::test]
async fn who_dies_in_a_call_repeats_it_under_the_same_id() {
    for steps in (1..).step_by(3) {
        let market = Market::open().await;
        market.watch_only(1, &[target(900)]).await;
        market.set_webhook(1, "/hook").await;
        let change = market.fall(3600, 900).await;
        let told = Notification::of_change(&change, AlertKind::Target);
        let due = Deliveries { mail: None, webhook: Some(later(3602)) };
        market.world.table.create_notification(user_id(1), &told, due).await.unwrap();
        market.collect(0);
        market.host.answer([500]);
        let task = AlertTask::Call { user_id: user_id(1), id: told.id(), at: later(3602) };
        let app = function::App::new(market.context(3602)).unwrap();
        let done = within(steps, Box::pin(function::work_off(&app, task.clone()))).await.is_some();
        market.time.set(3602);
        market.collect(3602);
        if !done {
            market.alerts.borrow_mut().push((3602 + 360, task));
        }
        market.run().await;
        let calls = market.host.calls();
        assert!((1..=3).contains(&calls.len()), "{steps}: {}", calls.len());
        assert!(calls.iter().all(|call| call.id == told.id().to_string()));
        let item = market.world.item(&keys::alerts::notification(user_id(1), &told.id()));
        assert_eq!(item["webhookDue"], json!(null), "{steps}");
        if done {
            return;
        }
    }
}
