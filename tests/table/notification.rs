//! Notifications, where they go, and their deliveries.

use crate::{
    alert::{dollars, item_id},
    together,
};
use domain::{
    Input, Timestamp,
    alert::{AlertKind, Offered, PriceChanged},
    notification::{Deliveries, Notification},
    notification_settings::NotificationSettings,
    observation::Availability,
    page::PageSize,
    webhook::Webhook,
};
use serde_json::json;
use std::sync::Arc;
use table::{BegunCall, Channels, Writer, keys};
use tests::{
    Fault, World,
    samples::{later, now, user_id},
};

fn notification(kind: AlertKind, at: Timestamp) -> Notification {
    let offered = |amount| Offered { price: Some(dollars(amount)), availability: Availability::InStock };
    let change = PriceChanged {
        item_id: item_id(1),
        revision: 2,
        since: at,
        before: Some(offered(1000)),
        after: offered(900),
        name: "Green tea, 100 g".to_owned(),
        url: "https://shop.com/products/1".to_owned(),
    };
    Notification::of_change(&change, kind)
}

fn webhook() -> Webhook {
    Webhook::new("https://ada.com/hook".to_owned(), now())
}

const AT_ONCE: fn() -> Deliveries = || Deliveries { mail: Some(now()), webhook: Some(now()) };

#[tokio::test]
async fn what_is_told_again_is_told_once() {
    let world = World::new();
    let told = notification(AlertKind::Target, now());
    let create = world.table.create_notification(user_id(1), &told, AT_ONCE());
    assert_eq!(world.measure("create_notification", "", create).await, Ok(AT_ONCE()));
    let later = Deliveries { mail: Some(later(9)), webhook: None };
    let create = world.table.create_notification(user_id(1), &told, later);
    assert_eq!(world.measure("create_notification", "told already", create).await, Ok(AT_ONCE()));
    let of_another_kind = notification(AlertKind::Lowest, now());
    world.wire.next("PutItem", [Fault::AnswerLost]);
    assert_eq!(world.table.create_notification(user_id(1), &of_another_kind, later).await, Ok(later));
    let list = world.table.notifications(user_id(1), PageSize::DEFAULT, None).await.unwrap();
    assert_eq!(list.items, [told.clone(), of_another_kind]);
    let item = world.item(&keys::alerts::notification(user_id(1), &told.id()));
    assert_eq!(item["ttl"]["N"], (now().unix_seconds() + 90 * 24 * 60 * 60).to_string());
}

#[tokio::test]
async fn notifications_are_listed_newest_first_by_page() {
    let world = World::new();
    for number in 1..=4 {
        let told = notification(AlertKind::Any, later(number));
        world.table.create_notification(user_id(1), &told, Deliveries::default()).await.unwrap();
    }
    world.table.put_notification_settings(user_id(1), &NotificationSettings::default()).await.unwrap();
    let other = notification(AlertKind::Any, now());
    world.table.create_notification(user_id(2), &other, Deliveries::default()).await.unwrap();
    let size = PageSize::new(3).unwrap();
    let first = world.table.notifications(user_id(1), size, None);
    let first = world.measure("notifications", "3 of 4", first).await.unwrap();
    let times = |list: &[Notification]| -> Vec<Timestamp> { list.iter().map(|told| told.at).collect() };
    assert_eq!(times(&first.items), [4, 3, 2].map(later));
    let rest = world.table.notifications(user_id(1), size, first.next.as_ref()).await.unwrap();
    assert_eq!((times(&rest.items), rest.next), (vec![later(1)], None));
}

#[tokio::test]
async fn where_notifications_go_is_one_query() {
    let world = World::new();
    assert_eq!(world.table.channels(user_id(1)).await, Ok(Channels::default()));
    let settings = NotificationSettings::from_json(json!({"email": "daily"})).unwrap();
    let put = world.table.put_notification_settings(user_id(1), &settings);
    world.measure("put_notification_settings", "", put).await.unwrap();
    let read = world.table.notification_settings(user_id(1));
    assert_eq!(world.measure("notification_settings", "", read).await, Ok(settings));
    assert_eq!(world.table.notification_settings(user_id(2)).await, Ok(NotificationSettings::default()));
    world.table.put_webhook(user_id(1), &webhook(), &[7; 32]).await.unwrap();
    let told = notification(AlertKind::Any, now());
    world.table.create_notification(user_id(1), &told, AT_ONCE()).await.unwrap();
    let channels = world.table.channels(user_id(1));
    let channels = world.measure("channels", "", channels).await;
    assert_eq!(channels, Ok(Channels { settings, webhook: Some(webhook()) }));
}

#[tokio::test]
async fn a_mail_is_begun_once_and_again_if_it_was_not_ended() {
    let world = Arc::new(World::new());
    let told = notification(AlertKind::Target, now());
    let due = Deliveries { mail: Some(later(5)), webhook: None };
    world.table.create_notification(user_id(1), &told, due).await.unwrap();
    assert_eq!(world.table.unsent_notifications(user_id(1), later(4)).await, Ok(vec![]));
    let unsent = world.table.unsent_notifications(user_id(1), later(5));
    assert_eq!(world.measure("unsent_notifications", "", unsent).await, Ok(vec![told.clone()]));
    let id = told.id();
    assert_eq!(world.table.begin_mail(user_id(1), &id, later(4), Writer([9; 16])).await, Ok(false));
    let at_once = together(&world, 4, move |world, number| async move {
        let writer = Writer([u8::try_from(number).unwrap(); 16]);
        world.another_client().begin_mail(user_id(1), &id, later(5), writer).await.unwrap()
    });
    assert_eq!(at_once.await.into_iter().filter(|is_first| *is_first).count(), 1);

    // The function died: after the claim, another one begins again. This time an answer is lost.
    assert_eq!(world.table.begin_mail(user_id(1), &id, later(94), Writer([8; 16])).await, Ok(false));
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    assert_eq!(world.table.begin_mail(user_id(1), &id, later(95), Writer([8; 16])).await, Ok(true));
    let end = world.table.end_mail(user_id(1), &id);
    world.measure("end_mail", "", end).await.unwrap();
    assert_eq!(world.table.end_mail(user_id(1), &id).await, Ok(()));
    assert_eq!(world.table.unsent_notifications(user_id(1), later(9_999)).await, Ok(vec![]));
    let begin = world.table.begin_mail(user_id(1), &id, later(9_999), Writer([7; 16]));
    assert_eq!(world.measure("begin_mail", "sent already", begin).await, Ok(false));

    let other = notification(AlertKind::Any, now());
    world.table.create_notification(user_id(1), &other, AT_ONCE()).await.unwrap();
    let id = other.id();
    let begin = world.table.begin_mail(user_id(1), &id, now(), Writer([1; 16]));
    assert_eq!(world.measure("begin_mail", "", begin).await, Ok(true));
}

#[tokio::test]
async fn calls_of_a_webhook_are_counted_and_postponed() {
    let world = Arc::new(World::new());
    let told = notification(AlertKind::Target, now());
    world.table.create_notification(user_id(1), &told, AT_ONCE()).await.unwrap();
    let id = told.id();
    let at_once = together(&world, 4, move |world, number| async move {
        let writer = Writer([u8::try_from(number).unwrap(); 16]);
        world.another_client().begin_call(user_id(1), &id, now(), writer).await.unwrap()
    });
    let (now_begun, later_begun): (Vec<_>, Vec<_>) =
        at_once.await.into_iter().partition(|begun| matches!(begun, BegunCall::Now { .. }));
    assert_eq!(now_begun, [BegunCall::Now { notification: told.clone(), attempt: 1 }]);
    assert_eq!(later_begun, vec![BegunCall::NotBefore(later(90)); 3]);

    let postpone = world.table.postpone_call(user_id(1), &id, later(5));
    world.measure("postpone_call", "", postpone).await.unwrap();
    let begin = world.table.begin_call(user_id(1), &id, later(4), Writer([5; 16]));
    assert_eq!(world.measure("begin_call", "not due", begin).await, Ok(BegunCall::NotBefore(later(5))));
    world.wire.next("UpdateItem", [Fault::AnswerLost]);
    let again = world.table.begin_call(user_id(1), &id, later(5), Writer([5; 16])).await;
    assert_eq!(again, Ok(BegunCall::Now { notification: told, attempt: 2 }));
    let end = world.table.end_call(user_id(1), &id);
    world.measure("end_call", "", end).await.unwrap();
    assert_eq!(
        world.table.begin_call(user_id(1), &id, later(999), Writer([6; 16])).await,
        Ok(BegunCall::Never)
    );
    assert_eq!(world.table.postpone_call(user_id(1), &id, later(5)).await, Ok(()));
    assert_eq!(
        world.table.begin_call(user_id(1), &id, later(999), Writer([6; 16])).await,
        Ok(BegunCall::Never)
    );

    let other = notification(AlertKind::Any, now());
    world.table.create_notification(user_id(1), &other, AT_ONCE()).await.unwrap();
    let id = other.id();
    let begin = world.table.begin_call(user_id(1), &id, now(), Writer([1; 16]));
    let result = world.measure("begin_call", "", begin).await;
    assert_eq!(result, Ok(BegunCall::Now { notification: other, attempt: 1 }));
    let unknown = notification(AlertKind::Drop, now()).id();
    let result = world.table.begin_call(user_id(1), &unknown, now(), Writer([1; 16])).await;
    assert_eq!(result, Ok(BegunCall::Never));
}

#[tokio::test]
async fn a_webhook_is_replaced_and_deleted_with_its_secret() {
    let world = World::new();
    let webhook = webhook();
    let put = world.table.put_webhook(user_id(1), &webhook, &[7; 32]);
    world.measure("put_webhook", "", put).await.unwrap();
    let read = world.table.webhook(user_id(1));
    assert_eq!(world.measure("webhook", "", read).await, Ok(webhook));
    let secret = world.table.webhook_secret(user_id(1));
    assert_eq!(world.measure("webhook_secret", "", secret).await, Ok(Some([7; 32])));
    let stored = world.item(&keys::alerts::webhook(user_id(1)));
    assert_eq!(stored["secret"], json!(null));
    let delete = world.table.delete_webhook(user_id(1));
    world.measure("delete_webhook", "", delete).await.unwrap();
    assert_eq!(world.table.delete_webhook(user_id(1)).await, Ok(()));
    assert!(world.table.webhook(user_id(1)).await.is_err());
    assert_eq!(world.table.webhook_secret(user_id(1)).await, Ok(None));
}

#[tokio::test]
async fn a_webhook_that_was_replaced_is_not_disabled_by_an_old_call() {
    let world = World::new();
    let old = webhook();
    world.table.put_webhook(user_id(1), &old, &[7; 32]).await.unwrap();
    let mark = world.table.mark_webhook(user_id(1), &old, Some(later(1)));
    world.measure("mark_webhook", "", mark).await.unwrap();
    world.table.mark_webhook(user_id(1), &old, Some(later(2))).await.unwrap();
    assert_eq!(world.table.webhook(user_id(1)).await.unwrap().failing_since, Some(later(1)));
    world.table.mark_webhook(user_id(1), &old, None).await.unwrap();
    assert_eq!(world.table.webhook(user_id(1)).await.unwrap().failing_since, None);

    let new = Webhook::new("https://ada.com/new".to_owned(), later(9));
    world.table.put_webhook(user_id(1), &new, &[8; 32]).await.unwrap();
    world.table.mark_webhook(user_id(1), &old, Some(later(10))).await.unwrap();
    assert_eq!(world.table.disable_webhook(user_id(1), &old, later(10)).await, Ok(false));
    assert_eq!(world.table.webhook(user_id(1)).await, Ok(new.clone()));
    let disable = world.table.disable_webhook(user_id(1), &new, later(11));
    assert_eq!(world.measure("disable_webhook", "", disable).await, Ok(true));
    let disable = world.table.disable_webhook(user_id(1), &new, later(12));
    assert_eq!(world.measure("disable_webhook", "disabled already", disable).await, Ok(false));
    assert_eq!(world.table.webhook(user_id(1)).await.unwrap().disabled_at, Some(later(11)));
}
