//! Tells users: stores notifications, and queues the mails and calls that go with them.

use crate::{
    alerts::{AlertTask, Alerts},
    client::{Client, Needs},
    context::Context,
    mail::MailQueue,
};
use domain::{
    Error, Timestamp,
    id::UserId,
    mail::{Addressee, Notice, QueuedMail},
    notification::{Deliveries, Notification},
};
use std::sync::Arc;
use table::{Channels, Table};

/// A mail is sent after this number of seconds, so that one mail tells all that has happened at once.
const GATHERED_SECONDS: u64 = 5;

/// Tells users.
pub struct Notifier {
    table: Arc<Table>,
    alerts: Alerts,
    mail: MailQueue,
}

impl Notifier {
    /// Stores a notification and queues its deliveries. Repeated after a failure, it queues those that are left: each
    /// message finds out whether its delivery was made.
    pub async fn tell(&self, user_id: UserId, told: &Notification, now: Timestamp) -> Result<(), Error> {
        let Channels { settings, webhook } = self.table.channels(user_id).await?;
        let deliveries = Deliveries {
            mail: settings.mail_due(now).filter(|_| self.mail.exists()),
            webhook: webhook.filter(|webhook| webhook.disabled_at.is_none()).map(|_| now),
        };
        let left = self.table.create_notification(user_id, told, deliveries).await?;
        if let Some(at) = left.webhook {
            self.alerts.at(&AlertTask::Call { user_id, id: told.id(), at }, at, now).await?;
        }
        if let Some(at) = left.mail {
            self.mail_at(user_id, at, now).await?;
        }
        Ok(())
    }

    /// Mails the user at this time what waits for it.
    pub async fn mail_at(&self, user_id: UserId, at: Timestamp, now: Timestamp) -> Result<(), Error> {
        if at > now {
            return self.alerts.at(&AlertTask::Mail { user_id, at }, at, now).await;
        }
        let mail = QueuedMail { to: Addressee::User(user_id), notice: Notice::Notifications };
        self.mail.put_after(&mail, GATHERED_SECONDS).await
    }
}

impl Client for Notifier {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "ALERT_QUEUE_URL", "MAIL_QUEUE_URL"],
        operations: &["channels", "create_notification"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, alerts: Alerts::new(context)?, mail: MailQueue::new(context)? })
    }
}
