//! Calls the webhooks of users.

use crate::{
    alerts::{AlertTask, Alerts},
    client::{Client, Needs},
    context::Context,
    notifier::Notifier,
};
use crawl::{Allowed, EndpointSecret, WebhookClient};
use domain::{
    Error, Timestamp,
    id::UserId,
    notification::{Notification, NotificationId},
    webhook::{AfterDelivery, Delivery, Webhook},
};
use serde_json::json;
use std::sync::Arc;
use table::{BegunCall, Table};

const ALLOW: &str = "CRAWL_ALLOW";
const USER_AGENT: &str = "CRAWL_USER_AGENT";

impl Client for WebhookClient {
    const NEEDS: Needs = Needs { settings: &[ALLOW, USER_AGENT], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let allow = context.settings().optional(ALLOW).unwrap_or_default();
        let allowed = Allowed::parse(&allow).map_err(|fault| Error::internal(format!("{ALLOW}: {fault}")))?;
        Ok(Self::new(&context.settings().required(USER_AGENT)?, allowed))
    }
}

/// Calls the webhooks of users.
pub struct Webhooks {
    context: Context,
    table: Arc<Table>,
    alerts: Alerts,
    notifier: Notifier,
    client: WebhookClient,
}

impl Webhooks {
    /// Calls a user's webhook with a notification, if it is due. If the function dies, the repetition of the message goes on:
    /// a call that was begun and not ended is begun again.
    pub async fn call(&self, user_id: UserId, id: NotificationId, at: Timestamp) -> Result<(), Error> {
        let now = self.context.now();
        if at > now {
            return self.call_at(user_id, id, at).await;
        }
        match self.table.begin_call(user_id, &id, now, self.context.new_writer()?).await? {
            BegunCall::Never => Ok(()),
            BegunCall::NotBefore(at) => self.call_at(user_id, id, at).await,
            BegunCall::Now { notification, attempt } => {
                let webhook = match self.table.webhook(user_id).await {
                    Err(Error::NotFound { .. }) => return self.table.end_call(user_id, &id).await,
                    webhook => webhook?,
                };
                if let Some(disabled_at) = webhook.disabled_at {
                    self.tell_disabled(user_id, &webhook, disabled_at).await?;
                    return self.table.end_call(user_id, &id).await;
                }
                let delivery = self.post(user_id, &webhook, &notification).await?;
                self.conclude(user_id, id, &webhook, webhook.after(attempt, delivery, now)).await
            }
        }
    }

    async fn call_at(&self, user_id: UserId, id: NotificationId, at: Timestamp) -> Result<(), Error> {
        self.alerts.at(&AlertTask::Call { user_id, id, at }, at, self.context.now()).await
    }

    async fn post(&self, user: UserId, webhook: &Webhook, told: &Notification) -> Result<Delivery, Error> {
        let Some(secret) = self.table.webhook_secret(user).await? else { return Ok(Delivery::Failed) };
        let kind = format!("alert.{}", told.kind.code());
        let body = json!({"type": kind, "timestamp": told.at, "data": told}).to_string();
        // An address that is not allowed any more is not called.
        let Ok(address) = self.client.parse(&webhook.url) else { return Ok(Delivery::Failed) };
        let (secret, id, now) = (EndpointSecret(&secret), told.id().to_string(), self.context.now());
        let answered = self.client.post(&address, &secret, &id, body, now).await;
        Ok(match answered {
            Ok(200..=299) => Delivery::Taken,
            Ok(410) => Delivery::Gone,
            Ok(_) | Err(_) => Delivery::Failed,
        })
    }

    async fn conclude(
        &self,
        user: UserId,
        id: NotificationId,
        webhook: &Webhook,
        after: AfterDelivery,
    ) -> Result<(), Error> {
        let now = self.context.now();
        match after {
            AfterDelivery::Done if webhook.failing_since.is_some() => {
                self.table.mark_webhook(user, webhook, None).await?;
            }
            AfterDelivery::Done | AfterDelivery::GivenUp => {}
            AfterDelivery::Again(at) => {
                if webhook.failing_since.is_none() {
                    self.table.mark_webhook(user, webhook, Some(now)).await?;
                }
                self.table.postpone_call(user, &id, at).await?;
                return self.call_at(user, id, at).await;
            }
            AfterDelivery::Disabled => {
                // Of several calls that fail for the last time at once, one tells it.
                if self.table.disable_webhook(user, webhook, now).await? {
                    self.tell_disabled(user, webhook, now).await?;
                }
            }
        }
        self.table.end_call(user, &id).await
    }

    async fn tell_disabled(&self, user: UserId, webhook: &Webhook, at: Timestamp) -> Result<(), Error> {
        let told = Notification::webhook_disabled(webhook.url.clone(), at);
        self.notifier.tell(user, &told, self.context.now()).await
    }
}

impl Client for Webhooks {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "ALERT_QUEUE_URL", "MAIL_QUEUE_URL", ALLOW, USER_AGENT],
        operations: &[
            "begin_call",
            "channels",
            "create_notification",
            "disable_webhook",
            "end_call",
            "mark_webhook",
            "postpone_call",
            "webhook",
            "webhook_secret",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            context: context.clone(),
            table: context.table()?,
            alerts: Alerts::new(context)?,
            notifier: Notifier::new(context)?,
            client: <WebhookClient as Client>::new(context)?,
        })
    }
}
