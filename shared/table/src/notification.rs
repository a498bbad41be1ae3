//! Notifications of users, and where they go.

use crate::{
    delivery::{CALL, MAIL, deliveries_of},
    engine::{
        item::{from_item, n, s, text, to_item},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
};
use domain::{
    Error, Timestamp,
    id::UserId,
    notification::{Deliveries, KEPT_SECONDS, Notification, NotificationId},
    notification_settings::NotificationSettings,
    page::{Page, PageSize},
    webhook::Webhook,
};

/// How far back notifications can be whose mail was not sent, in seconds: a daily mail waits for two days at most, and a
/// change may be told late.
const UNSENT_SECONDS: u64 = 4 * 24 * 60 * 60;

/// The maximum number of notifications in one mail.
const MAIL_LENGTH: usize = 50;

/// Where a user's notifications go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channels {
    /// The user's settings.
    pub settings: NotificationSettings,
    /// The user's webhook.
    pub webhook: Option<Webhook>,
}

impl Table {
    /// Where a user's notifications go. Eventually consistent.
    pub async fn channels(&self, user: UserId) -> Result<Channels, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::alerts::notification_partition(user)))
            .expression_attribute_values(":first", s(keys::alerts::SETTINGS))
            .expression_attribute_values(":last", s(keys::alerts::WEBHOOK));
        let mut channels = Channels::default();
        for item in self.query(query).await?.items.unwrap_or_default() {
            if text(&item, SK) == Some(keys::alerts::WEBHOOK) {
                channels.webhook = Some(from_item(item)?);
            } else {
                channels.settings = from_item(item)?;
            }
        }
        Ok(channels)
    }

    /// The settings of a user's notifications.
    pub async fn notification_settings(&self, user: UserId) -> Result<NotificationSettings, Error> {
        let item = self.get_item(keys::alerts::settings(user), true).await?;
        item.map_or(Ok(NotificationSettings::default()), from_item)
    }

    /// Replaces the settings of a user's notifications.
    pub async fn put_notification_settings(
        &self,
        user: UserId,
        settings: &NotificationSettings,
    ) -> Result<(), Error> {
        let mut item = to_item(settings)?;
        item.extend(keys::alerts::settings(user).primary());
        self.put(self.client().put_item().set_item(Some(item))).await.map(drop)
    }

    /// Stores a notification that is to be delivered at these times, unless it is there already: what is told again is
    /// told once. Returns the deliveries that are left.
    pub async fn create_notification(
        &self,
        user: UserId,
        notification: &Notification,
        deliveries: Deliveries,
    ) -> Result<Deliveries, Error> {
        let mut item = to_item(notification)?;
        item.extend(keys::alerts::notification(user, &notification.id()).primary());
        item.extend([keys::ttl(notification.at.plus_seconds(KEPT_SECONDS))]);
        for (name, due) in [(MAIL, deliveries.mail), (CALL, deliveries.webhook)] {
            item.extend(due.map(|due| (name.to_owned(), n(due.unix_milliseconds()))));
        }
        match self.create_item(item).await? {
            Written::Refused(Some(stored)) => Ok(deliveries_of(&stored)),
            Written::Done(_) | Written::Refused(None) => Ok(deliveries),
        }
    }

    /// A user's notifications, newest first, and the position after them.
    pub async fn notifications(
        &self,
        user: UserId,
        size: PageSize,
        after: Option<&NotificationId>,
    ) -> Result<Page<Notification, NotificationId>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(keys::alerts::notification_partition(user)))
            .expression_attribute_values(":prefix", s(keys::alerts::NOTIFICATION_PREFIX))
            .set_exclusive_start_key(after.map(|after| keys::alerts::notification(user, after).primary()))
            .scan_index_forward(false)
            .limit(i32::try_from(size.get() + 1).unwrap_or(i32::MAX));
        let sent = self.query(query).await?;
        let read = sent.items.unwrap_or_default().into_iter().map(from_item);
        let mut items = read.collect::<Result<Vec<Notification>, Error>>()?;
        let has_more = items.len() > size.get();
        items.truncate(size.get());
        let next = items.last().filter(|_| has_more).map(Notification::id);
        Ok(Page { items, next })
    }

    /// The notifications whose mail is due, oldest first. Each is to be claimed before it is sent.
    pub async fn unsent_notifications(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Notification>, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .filter_expression("#due <= :now")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#due", MAIL)
            .expression_attribute_values(":pk", s(keys::alerts::notification_partition(user)))
            .expression_attribute_values(
                ":first",
                s(keys::alerts::notifications_from(now.minus_seconds(UNSENT_SECONDS))),
            )
            .expression_attribute_values(":last", s(keys::alerts::SETTINGS))
            .expression_attribute_values(":now", n(now.unix_milliseconds()))
            .consistent_read(true);
        let sent = self.query(query).await?;
        sent.items.unwrap_or_default().into_iter().take(MAIL_LENGTH).map(from_item).collect()
    }
}
