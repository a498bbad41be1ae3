//! The queue of price changes, webhook calls and mails that alert-send processes.

use crate::{
    client::{Client, Needs},
    context::Context,
    queue::Queue,
};
use domain::{Error, Timestamp, alert::PriceChanged, id::UserId, notification::NotificationId};
use serde::{Deserialize, Serialize};
use table::AlertPosition;

const QUEUE: &str = "ALERT_QUEUE_URL";

/// A change is queued before it is stored, which takes a moment.
const STORED_AFTER_SECONDS: u64 = 2;

/// The queue of alerts.
pub struct Alerts {
    queue: Queue,
}

/// How far the alerts that a change crosses were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOutPosition {
    /// The number of the range.
    pub range: usize,
    /// The last alert of it that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AlertPosition>,
}

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AlertTask {
    /// A change, whose alerts are to be told from this position on.
    Change {
        /// The change.
        change: PriceChanged,
        /// The position.
        position: FanOutPosition,
    },
    /// The user's webhook is to be called.
    Call {
        /// The user.
        user_id: UserId,
        /// With this notification.
        id: NotificationId,
        /// Not before this time.
        at: Timestamp,
    },
    /// The user is to be mailed what waits for it.
    Mail {
        /// The user.
        user_id: UserId,
        /// Not before this time.
        at: Timestamp,
    },
}

impl Alerts {
    /// Queues a change that is about to be stored. It is checked against the item's state on receipt, so that one that is
    /// never stored tells nobody, and one that is stored tells everybody even if the sender dies now.
    pub async fn send(&self, change: &PriceChanged) -> Result<(), Error> {
        self.look_again(change, FanOutPosition::default(), STORED_AFTER_SECONDS).await
    }

    /// Queues a change from this position on, after this number of seconds.
    pub(crate) async fn look_again(
        &self,
        change: &PriceChanged,
        position: FanOutPosition,
        seconds: u64,
    ) -> Result<(), Error> {
        self.queue.send_after(&AlertTask::Change { change: change.clone(), position }, seconds).await
    }

    /// Queues a call or a mail for this time. Further away than a queue can hold a message, it comes earlier, and is to be
    /// queued again.
    pub(crate) async fn at(&self, task: &AlertTask, at: Timestamp, now: Timestamp) -> Result<(), Error> {
        // Rounded up: a message that comes a moment too early would be queued once more.
        let milliseconds = at.unix_milliseconds().saturating_sub(now.unix_milliseconds());
        self.queue.send_after(task, milliseconds.div_ceil(1000)).await
    }
}

impl Client for Alerts {
    const NEEDS: Needs = Needs { settings: &[QUEUE], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { queue: Queue::new(context.sdk(), context.settings().required(QUEUE)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        alert::{AlertKind, Offered},
        id::Id,
        notification::NotificationKind,
        observation::{Availability, ItemId},
    };
    use serde_json::json;

    /// A message may have been queued by the version of the functions before this one.
    #[test]
    fn messages_have_this_form() {
        let at = Timestamp::from_unix_milliseconds(1_763_659_827_040);
        let (user_id, item_id) = (UserId::new(at, [1; 10]), ItemId::of_digest(&[7; 32]));
        let change = PriceChanged {
            item_id,
            revision: 2,
            since: at,
            before: None,
            after: Offered { price: None, availability: Availability::OutOfStock },
            name: "Tea".to_owned(),
            url: "https://shop.com/p".to_owned(),
        };
        let id =
            NotificationId { at, item_id: Some(item_id), kind: NotificationKind::Alert(AlertKind::Target) };
        let time = "2025-11-20T17:30:27.040Z";
        for (task, queued) in [
            (
                AlertTask::Change { change: change.clone(), position: FanOutPosition::default() },
                json!({"task": "change", "change": change, "position": {"range": 0}}),
            ),
            (
                AlertTask::Call { user_id, id, at },
                json!({
                    "task": "call", "userId": user_id, "at": time,
                    "id": {"at": time, "itemId": item_id, "kind": "target"},
                }),
            ),
            (AlertTask::Mail { user_id, at }, json!({"task": "mail", "userId": user_id, "at": time})),
        ] {
            assert_eq!(serde_json::to_value(&task).unwrap(), queued);
            assert_eq!(serde_json::from_value::<AlertTask>(queued).unwrap(), task);
        }
    }
}
