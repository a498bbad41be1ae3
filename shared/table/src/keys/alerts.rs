//! Keys of alerts, notifications and webhooks.

use super::Key;
use domain::{
    Timestamp,
    alert::{AlertKind, Trigger, TriggerRange},
    currency::Currency,
    id::UserId,
    notification::NotificationId,
    observation::ItemId,
};

/// The partition of the alerts that wait for changes of an item.
pub fn alert_partition(id: ItemId) -> String {
    format!("ALERTS#{id}")
}

/// An alert of a user, where it waits. Several alerts of one kind and one trigger are one.
pub fn alert(id: ItemId, trigger: Trigger, user: UserId, kind: AlertKind) -> Key {
    let sk = match trigger {
        Trigger::Price(price) => {
            format!("{}#{user}#{}", target(price.currency, price.amount), kind.code())
        }
        Trigger::FirstPrice => format!("FIRST#{user}"),
        Trigger::AnyPrice => format!("ANY#{user}"),
        Trigger::Stock => format!("STOCK#{user}"),
        Trigger::Lowest(days) => format!("{}#{user}", lowest(days)),
    };
    Key::new(alert_partition(id), sk)
}

/// The first and the last sort key of the alerts of a range. No alert has either of them as its key.
pub fn alert_range(range: &TriggerRange) -> (String, String) {
    let all = |prefix: &str| (format!("{prefix}#"), format!("{prefix}#~"));
    match *range {
        TriggerRange::Prices { currency, lowest, below } => {
            let end = below.map_or_else(|| format!("TARGET#{currency}#~"), |below| target(currency, below));
            (target(currency, lowest), end)
        }
        TriggerRange::FirstPrice => all("FIRST"),
        TriggerRange::AnyPrice => all("ANY"),
        TriggerRange::Stock => all("STOCK"),
        TriggerRange::Lowest { days } => (lowest(1), format!("{}#~", lowest(days))),
    }
}

/// Every amount has as many digits as the largest, so that texts sort by amount. There are no negative ones.
fn target(currency: Currency, amount: i64) -> String {
    format!("TARGET#{currency}#{amount:019}")
}

fn lowest(days: u16) -> String {
    format!("LOW#{days:03}")
}

/// The partition of a user's notifications, with the settings of where they go.
pub fn notification_partition(user: UserId) -> String {
    format!("NOTICES#{user}")
}

/// A notification.
pub fn notification(user: UserId, id: &NotificationId) -> Key {
    let NotificationId { at, item_id, kind } = id;
    let item = item_id.map(|item| item.to_string()).unwrap_or_default();
    Key::new(notification_partition(user), format!("{}#{item}#{}", notifications_from(*at), kind.code()))
}

/// The sort key that comes before all notifications of this time and after all earlier ones.
pub fn notifications_from(at: Timestamp) -> String {
    format!("{NOTIFICATION_PREFIX}{at}")
}

/// Prefix of the sort keys of notifications.
pub const NOTIFICATION_PREFIX: &str = "NOTICE#";

/// The sort key of the settings of notifications. It sorts between the notifications and the webhook, so that one Query
/// reads these two and no notification.
pub const SETTINGS: &str = "SETTINGS";

/// The sort key of a user's webhook.
pub const WEBHOOK: &str = "WEBHOOK";

/// The settings of a user's notifications.
pub fn settings(user: UserId) -> Key {
    Key::new(notification_partition(user), SETTINGS)
}

/// A user's webhook, without its secret.
pub fn webhook(user: UserId) -> Key {
    Key::new(notification_partition(user), WEBHOOK)
}

/// The secret of a user's webhook. Its partition has a prefix of its own, so that only the function that signs reads it.
pub fn webhook_secret(user: UserId) -> Key {
    Key::new(format!("WEBHOOKSECRET#{user}"), "SECRET")
}
