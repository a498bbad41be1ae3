//! Notifications: what a user is told, and which mails and webhooks tell it.

use crate::{
    Money, Timestamp,
    alert::{AlertKind, Offered, PriceChanged},
    id::NotAnId,
    observation::{Availability, ItemId},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How long notifications are kept, in seconds.
pub const KEPT_SECONDS: u64 = 90 * 24 * 60 * 60;

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NotificationKind {
    /// The user's webhook was disabled, because it failed for a day or said that it is gone.
    WebhookDisabled,
    /// An alert of this kind.
    #[serde(untagged)]
    Alert(AlertKind),
}

impl NotificationKind {
    /// The kind as clients read it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Alert(kind) => kind.code(),
            Self::WebhookDisabled => "webhookDisabled",
        }
    }
}

/// What makes a notification unique among those of its user: a change of an item is told once for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationId {
    /// When it happened.
    pub at: Timestamp,
    /// The item, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<ItemId>,
    /// What it is about.
    pub kind: NotificationKind,
}

/// The id as clients read it. It contains no full stop, which separates the parts of what a webhook signs.
impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.at.unix_milliseconds())?;
        if let Some(item) = self.item_id {
            write!(f, "_{item}")?;
        }
        write!(f, "_{}", self.kind.code())
    }
}

impl FromStr for NotificationId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (time, rest) = text.strip_prefix("msg_").and_then(|rest| rest.split_once('_')).ok_or(NotAnId)?;
        let at = Timestamp::from_unix_milliseconds(time.parse().map_err(|_| NotAnId)?);
        let (item_id, kind) = match rest.split_once('_') {
            Some((item, kind)) => (Some(item.parse()?), kind),
            None => (None, rest),
        };
        let alerts = AlertKind::ALL.into_iter().map(NotificationKind::Alert);
        let mut kinds = alerts.chain([NotificationKind::WebhookDisabled]);
        let kind = kinds.find(|known| known.code() == kind).ok_or(NotAnId)?;
        Ok(Self { at, item_id, kind })
    }
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// What it is about.
    pub kind: NotificationKind,
    /// When it happened.
    pub at: Timestamp,
    /// The item, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<ItemId>,
    /// The name of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address of the item's page, or of the webhook.
    pub url: String,
    /// The price before, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_price: Option<Money>,
    /// The price, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Whether the product can be bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
}

impl Notification {
    /// Tells that a change has crossed an alert of this kind.
    pub fn of_change(change: &PriceChanged, kind: AlertKind) -> Self {
        let Offered { price, availability } = change.after;
        Self {
            kind: NotificationKind::Alert(kind),
            at: change.since,
            item_id: Some(change.item_id),
            name: Some(change.name.clone()),
            url: change.url.clone(),
            previous_price: change.before.and_then(|before| before.price),
            price,
            availability: Some(availability),
        }
    }

    /// Tells that the user's webhook was disabled.
    pub fn webhook_disabled(url: String, at: Timestamp) -> Self {
        Self {
            kind: NotificationKind::WebhookDisabled,
            at,
            item_id: None,
            name: None,
            url,
            previous_price: None,
            price: None,
            availability: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> NotificationId {
        NotificationId { at: self.at, item_id: self.item_id, kind: self.kind }
    }
}

/// When a notification goes to the user besides the list; `None` if it does not, or has gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// By mail.
    pub mail: Option<Timestamp>,
    /// By the user's webhook.
    pub webhook: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change() -> PriceChanged {
        let price = |amount| Money { amount, currency: "SGD".parse().unwrap() };
        let offered = |amount| Offered { price: Some(price(amount)), availability: Availability::InStock };
        PriceChanged {
            item_id: ItemId::of_digest(&[7; 32]),
            revision: 2,
            since: Timestamp::from_unix_milliseconds(1_763_659_827_040),
            before: Some(offered(100)),
            after: offered(90),
            name: "Tea".to_owned(),
            url: "https://shop.com/p".to_owned(),
        }
    }

    #[test]
    fn a_notification_says_what_has_changed() {
        let notification = Notification::of_change(&change(), AlertKind::BackInStock);
        let written = json!({
            "kind": "backInStock", "at": "2025-11-20T17:30:27.040Z", "itemId": "07070707-0707-8707-8707-070707070707",
            "name": "Tea", "url": "https://shop.com/p", "previousPrice": {"amount": 100, "currency": "SGD"},
            "price": {"amount": 90, "currency": "SGD"}, "availability": "inStock",
        });
        assert_eq!(serde_json::to_value(&notification).unwrap(), written);
        assert_eq!(serde_json::from_value::<Notification>(written).unwrap(), notification);
    }

    #[test]
    fn the_end_of_a_webhook_names_its_address_and_no_item() {
        let at = Timestamp::from_unix_milliseconds(1_763_659_827_040);
        let notification = Notification::webhook_disabled("https://ada.com/hook".to_owned(), at);
        let written = json!({"kind": "webhookDisabled", "at": "2025-11-20T17:30:27.040Z", "url": "https://ada.com/hook"});
        assert_eq!(serde_json::to_value(&notification).unwrap(), written);
        assert_eq!(serde_json::from_value::<Notification>(written).unwrap(), notification);
        assert_eq!(notification.id().to_string(), "msg_1763659827040_webhookDisabled");
    }

    #[test]
    fn ids_follow_from_item_kind_and_time() {
        let id = |kind| Notification::of_change(&change(), kind).id();
        assert_eq!(
            id(AlertKind::Target).to_string(),
            "msg_1763659827040_07070707-0707-8707-8707-070707070707_target"
        );
        let mut texts: Vec<String> = AlertKind::ALL.into_iter().map(|kind| id(kind).to_string()).collect();
        texts.dedup();
        assert_eq!(texts.len(), 5);
        for kind in AlertKind::ALL {
            assert_eq!(id(kind).to_string().parse(), Ok(id(kind)));
        }
        let disabled = Notification::webhook_disabled(String::new(), change().since).id();
        assert_eq!(disabled.to_string().parse(), Ok(disabled));
        for wrong in ["", "msg_1", "msg_x_target", "msg_1_rise", "msg_1_x_target", "1_target"] {
            assert_eq!(wrong.parse::<NotificationId>(), Err(NotAnId), "{wrong}");
        }
        let written = serde_json::to_value(id(AlertKind::Lowest)).unwrap();
        assert_eq!(written["kind"], "lowest");
        assert_eq!(serde_json::from_value::<NotificationId>(written).unwrap(), id(AlertKind::Lowest));
    }
}
