//! Sets the alerts of a watch.

use crate::{
    alerts::Alerts,
    client::{Client, Needs},
    context::Context,
};
use domain::{
    Error,
    alert::{Alert, PriceChanged, SetAlert},
    id::UserId,
    observation::ItemId,
    watched_item::WatchedItem,
};
use futures::try_join;
use std::sync::Arc;
use table::{Table, Watch};

/// The maximum number of attempts to change a watch that is changed at the same time.
const TRIES: usize = 8;

/// Sets the alerts of watches.
pub struct AlertSetting {
    table: Arc<Table>,
    alerts: Alerts,
}

impl AlertSetting {
    /// Replaces the alerts of a watch; those that were set before stay as they are. Returns the watch and its item.
    pub async fn set(
        &self,
        user: UserId,
        id: ItemId,
        wanted: &[Alert],
    ) -> Result<(Watch, WatchedItem), Error> {
        for _ in 0..TRIES {
            let (watch, item) = try_join!(self.table.watch(user, id), self.table.watched_item(id))?;
            let next = watch.with_alerts(SetAlert::replace(&watch.alerts, wanted, &item));
            if next.alerts != watch.alerts && !self.table.replace_watch(user, &watch, &next).await? {
                continue;
            }
            // A change that was stored meanwhile may have been processed before the alerts were stored: it is queued again.
            // Users who were notified of it are not notified again.
            let now = self.table.watched_item(id).await?;
            if let Some(change) = PriceChanged::between(&item, &now) {
                self.alerts.send(&change).await?;
            }
            return Ok((next, now));
        }
        Err(Error::unavailable("other changes of the watch always came first"))
    }
}

impl Client for AlertSetting {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "ALERT_QUEUE_URL"],
        operations: &["replace_watch", "watch", "watched_item"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, alerts: Alerts::new(context)? })
    }
}
