//! Deliveries of notifications by mail and by webhook.
//!
//! A notification has for each delivery that is left the time from which on it may be tried. A function that tries it moves
//! this time into the future first, so that two of them do not deliver it at once, and removes it when it is done.

use crate::{
    engine::{
        item::{Item, b, from_item, n, number, s, to_item},
        request::Written,
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys,
    writer::{WRITER, Writer},
};
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::{
    Error, Timestamp,
    id::UserId,
    notification::{Deliveries, Notification, NotificationId},
    webhook::Webhook,
};

/// From when on the mail may be sent, in milliseconds since 1970.
pub(crate) const MAIL: &str = "mailDue";
/// From when on the webhook may be called, in milliseconds since 1970.
pub(crate) const CALL: &str = "webhookDue";
/// The number of calls of the webhook that were begun.
const CALLS: &str = "webhookCalls";

/// The secret of a webhook.
const SECRET: &str = "secret";
const FAILING_SINCE: &str = "failingSince";
const DISABLED_AT: &str = "disabledAt";
const CREATED_AT: &str = "createdAt";

/// For how long a function that has begun a delivery keeps others from it, in seconds: longer than a delivery takes, and
/// shorter than the time after which a queue delivers a message again.
const CLAIM_SECONDS: u64 = 90;

/// Whether a call of a webhook was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunCall {
    /// It was.
    Now {
        /// What is told.
        notification: Notification,
        /// How many calls were begun, with this one.
        attempt: usize,
    },
    /// It is not due before this time, or somebody else has begun it, who has until then.
    NotBefore(Timestamp),
    /// There is none left.
    Never,
}

pub(crate) fn deliveries_of(item: &Item) -> Deliveries {
    let due = |name| number(item, name).map(Timestamp::from_unix_milliseconds);
    Deliveries { mail: due(MAIL), webhook: due(CALL) }
}

impl Table {
    /// Begins to send the mail of a notification. Returns whether it was due and nobody else has begun it.
    pub async fn begin_mail(
        &self,
        user: UserId,
        id: &NotificationId,
        now: Timestamp,
        writer: Writer,
    ) -> Result<bool, Error> {
        let begun = self.send_update(ItemUpdate {
            key: keys::alerts::notification(user, id),
            update: "SET #mailDue = :until, #writer = :writer",
            condition: "#mailDue <= :now",
            names: &[MAIL, WRITER],
            values: vec![
                ("now", n(now.unix_milliseconds())),
                ("until", claimed(now)),
                ("writer", b(&writer.0)),
            ],
        });
        Ok(match begun.await? {
            Written::Done(_) => true,
            // The answer to the same request may have been lost.
            Written::Refused(stored) => stored.is_some_and(|stored| writer.wrote(&stored)),
        })
    }

    /// Records that the mail of a notification was sent.
    pub async fn end_mail(&self, user: UserId, id: &NotificationId) -> Result<(), Error> {
        self.end_delivery(user, id, MAIL).await
    }

    /// Begins to call the webhook with a notification, if it is due and nobody else has begun it.
    pub async fn begin_call(
        &self,
        user: UserId,
        id: &NotificationId,
        now: Timestamp,
        writer: Writer,
    ) -> Result<BegunCall, Error> {
        let begun = self.send_update(ItemUpdate {
            key: keys::alerts::notification(user, id),
            update: "SET #webhookDue = :until, #writer = :writer, \
                #webhookCalls = if_not_exists(#webhookCalls, :zero) + :one",
            condition: "#webhookDue <= :now",
            names: &[CALL, CALLS, WRITER],
            values: vec![
                ("now", n(now.unix_milliseconds())),
                ("until", claimed(now)),
                ("writer", b(&writer.0)),
                ("zero", n(0)),
                ("one", n(1)),
            ],
        });
        let stored = match begun.await? {
            Written::Refused(Some(stored)) if !writer.wrote(&stored) => {
                let due = deliveries_of(&stored).webhook;
                return Ok(due.map_or(BegunCall::Never, BegunCall::NotBefore));
            }
            Written::Done(stored) | Written::Refused(stored) => stored,
        };
        let Some(stored) = stored else { return Ok(BegunCall::Never) };
        let attempt = number(&stored, CALLS).and_then(|calls| calls.try_into().ok()).unwrap_or(1);
        Ok(BegunCall::Now { notification: from_item(stored)?, attempt })
    }

    /// Records that a call is made again at this time.
    pub async fn postpone_call(&self, user: UserId, id: &NotificationId, at: Timestamp) -> Result<(), Error> {
        let update = self.send_update(ItemUpdate {
            key: keys::alerts::notification(user, id),
            update: "SET #webhookDue = :at",
            condition: "attribute_exists(#webhookDue)",
            names: &[CALL],
            values: vec![("at", n(at.unix_milliseconds()))],
        });
        update.await.map(drop)
    }

    /// Records that the webhook was called with a notification, or is not called with it any more.
    pub async fn end_call(&self, user: UserId, id: &NotificationId) -> Result<(), Error> {
        self.end_delivery(user, id, CALL).await
    }

    async fn end_delivery(&self, user: UserId, id: &NotificationId, name: &str) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::alerts::notification(user, id).primary()))
            .update_expression("REMOVE #due")
            .condition_expression("attribute_exists(#due)")
            .expression_attribute_names("#due", name);
        self.update(update).await.map(drop)
    }

    /// A user's webhook, without its secret.
    pub async fn webhook(&self, user: UserId) -> Result<Webhook, Error> {
        let item = self.get_item(keys::alerts::webhook(user), true).await?;
        from_item(item.ok_or(Error::NotFound { what: "webhook" })?)
    }

    /// The secret of a user's webhook.
    pub async fn webhook_secret(&self, user: UserId) -> Result<Option<[u8; 32]>, Error> {
        let item = self.get_item(keys::alerts::webhook_secret(user), true).await?;
        Ok(item.and_then(|item| item.get(SECRET)?.as_b().ok()?.as_ref().try_into().ok()))
    }

    /// Sets a user's webhook, in place of the one before.
    pub async fn put_webhook(&self, user: UserId, webhook: &Webhook, secret: &[u8; 32]) -> Result<(), Error> {
        let mut item = to_item(webhook)?;
        item.extend(keys::alerts::webhook(user).primary());
        let mut hidden: Item = keys::alerts::webhook_secret(user).primary();
        hidden.insert(SECRET.to_owned(), b(secret));
        let writes = vec![self.put_always(item)?, self.put_always(hidden)?];
        self.all_done(writes).await
    }

    /// Deletes a user's webhook. One that is gone is left as it is.
    pub async fn delete_webhook(&self, user: UserId) -> Result<(), Error> {
        let writes = vec![
            self.delete_always(keys::alerts::webhook(user))?,
            self.delete_always(keys::alerts::webhook_secret(user))?,
        ];
        self.all_done(writes).await
    }

    async fn all_done(&self, writes: Vec<TransactWriteItem>) -> Result<(), Error> {
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => Err(Error::internal("a write without a condition was refused")),
        }
    }

    /// Records that a webhook fails since this time, unless it has failed before; `None` records that it works. A webhook
    /// that was replaced meanwhile is left as it is.
    pub async fn mark_webhook(
        &self,
        user: UserId,
        webhook: &Webhook,
        failing_since: Option<Timestamp>,
    ) -> Result<(), Error> {
        let (update, values) = match failing_since {
            Some(since) => (
                "SET #failingSince = if_not_exists(#failingSince, :since)",
                vec![("since", text_of(since)), ("created", text_of(webhook.created_at))],
            ),
            None => ("REMOVE #failingSince", vec![("created", text_of(webhook.created_at))]),
        };
        let names = &[FAILING_SINCE, CREATED_AT];
        let key = keys::alerts::webhook(user);
        let update = ItemUpdate { key, update, condition: "#createdAt = :created", names, values };
        self.send_update(update).await.map(drop)
    }

    /// Disables a webhook, unless it was replaced meanwhile. Returns whether it was not disabled before.
    pub async fn disable_webhook(
        &self,
        user: UserId,
        webhook: &Webhook,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let disabled = self.send_update(ItemUpdate {
            key: keys::alerts::webhook(user),
            update: "SET #disabledAt = :now",
            condition: "#createdAt = :created AND attribute_not_exists(#disabledAt)",
            names: &[DISABLED_AT, CREATED_AT],
            values: vec![("now", text_of(now)), ("created", text_of(webhook.created_at))],
        });
        Ok(matches!(disabled.await?, Written::Done(_)))
    }
}

fn claimed(now: Timestamp) -> AttributeValue {
    n(now.plus_seconds(CLAIM_SECONDS).unix_milliseconds())
}

fn text_of(at: Timestamp) -> AttributeValue {
    s(at.to_string())
}
