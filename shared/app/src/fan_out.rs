//! Finds the alerts that a change crosses, and tells their users.

use crate::{
    alerts::{Alerts, FanOutPosition},
    client::{Client, Needs},
    context::Context,
    notifier::Notifier,
};
use domain::{
    Error, Money, Timestamp,
    alert::{LowestSince, PriceChanged, SetAlert, Stored, TriggerRange},
    id::UserId,
    notification::Notification,
    page::PageSize,
};
use futures::{TryStreamExt, stream};
use std::sync::Arc;
use table::{Table, WaitingAlert};

/// The maximum number of users who are told concurrently.
const CONCURRENCY: usize = 16;

/// The maximum number of pages of alerts for one message; another message goes on after them.
const PAGES: usize = 5;

/// How long a change can still be stored, in seconds: longer than a function runs.
const STORED_WITHIN_SECONDS: u64 = 20 * 60;

/// When a change that is not stored yet is looked at again, in seconds.
const LOOK_AGAIN_SECONDS: u64 = 15;

/// The maximum number of pages of past prices that are read to find the lowest one.
const PRICE_PAGES: usize = 50;

/// The maximum number of attempts to anchor the alerts of a watch that is changed at the same time.
const TRIES: usize = 8;

/// Whether a change has happened.
#[derive(Debug, PartialEq, Eq)]
enum Happened {
    Yes,
    NotYet,
    Never,
}

/// Tells the users whose alerts a change crosses.
pub struct FanOut {
    table: Arc<Table>,
    alerts: Alerts,
    notifier: Notifier,
}

impl FanOut {
    /// Tells the users whose alerts the change crosses, from this position on. It may be repeated at any time: who was told
    /// is not told again.
    pub async fn run(
        &self,
        change: &PriceChanged,
        mut position: FanOutPosition,
        now: Timestamp,
    ) -> Result<(), Error> {
        match self.happened(change, now).await? {
            Happened::Yes => {}
            Happened::NotYet => return self.alerts.look_again(change, position, LOOK_AGAIN_SECONDS).await,
            Happened::Never => return Ok(()),
        }
        let ranges = change.crossed();
        for _ in 0..PAGES {
            let Some(range) = ranges.get(position.range) else { return Ok(()) };
            position = self.tell_page(change, *range, position, now).await?;
        }
        self.alerts.look_again(change, position, 0).await
    }

    /// A change is queued before it is stored. It has happened if it is the item's state, or was it.
    async fn happened(&self, change: &PriceChanged, now: Timestamp) -> Result<Happened, Error> {
        let item = match self.table.watched_item(change.item_id).await {
            Err(Error::NotFound { .. }) => return Ok(Happened::Never),
            item => item?,
        };
        Ok(match change.stored(&item) {
            Stored::Yes => Happened::Yes,
            Stored::NotYet if now > change.since.plus_seconds(STORED_WITHIN_SECONDS) => Happened::Never,
            Stored::NotYet => Happened::NotYet,
            Stored::OrReplaced => {
                let past = self.table.past_price(change.item_id, change.since).await?;
                if past.is_some_and(|past| change.is(&past)) { Happened::Yes } else { Happened::Never }
            }
        })
    }

    /// Tells the users of one page of alerts. Returns the position after them.
    async fn tell_page(
        &self,
        change: &PriceChanged,
        range: TriggerRange,
        position: FanOutPosition,
        now: Timestamp,
    ) -> Result<FanOutPosition, Error> {
        let after = position.after.as_ref();
        let mut page = self.table.crossed_alerts(change.item_id, &range, PageSize::LARGEST, after).await?;
        if matches!(range, TriggerRange::Lowest { .. }) && !page.items.is_empty() {
            let range = TriggerRange::Lowest { days: self.days_of_lowest(change).await? };
            page = self.table.crossed_alerts(change.item_id, &range, PageSize::LARGEST, after).await?;
        }
        // An alert that was set after the change is not about it.
        let earlier = page.items.iter().filter(|alert| alert.seen < change.since);
        stream::iter(earlier.map(Ok))
            .try_for_each_concurrent(CONCURRENCY, async |alert| self.tell(change, range, alert, now).await)
            .await?;
        Ok(match page.next {
            Some(after) => FanOutPosition { after: Some(after), ..position },
            None => FanOutPosition { range: position.range + 1, after: None },
        })
    }

    async fn tell(
        &self,
        change: &PriceChanged,
        range: TriggerRange,
        alert: &WaitingAlert,
        now: Timestamp,
    ) -> Result<(), Error> {
        if let (TriggerRange::FirstPrice, Some(price)) = (range, change.after.price) {
            return self.anchor(change, alert.user_id, price).await;
        }
        let told = Notification::of_change(change, alert.kind);
        self.notifier.tell(alert.user_id, &told, now).await
    }

    /// Gives the alerts of a watch that wait for the first price their thresholds.
    async fn anchor(&self, change: &PriceChanged, user: UserId, price: Money) -> Result<(), Error> {
        for _ in 0..TRIES {
            let watch = match self.table.watch(user, change.item_id).await {
                Err(Error::NotFound { .. }) => return Ok(()),
                watch => watch?,
            };
            let anchored = |set: &SetAlert| set.anchored(price, change.since);
            let next = watch.with_alerts(watch.alerts.iter().map(anchored).collect());
            if next.alerts == watch.alerts || self.table.replace_watch(user, &watch, &next).await? {
                return Ok(());
            }
        }
        Err(Error::unavailable("other changes of a watch always came first"))
    }

    /// For how many days the price of a change is the lowest.
    async fn days_of_lowest(&self, change: &PriceChanged) -> Result<u16, Error> {
        let Some(mut lowest) = LowestSince::new(change) else { return Ok(0) };
        let mut before = change.since;
        for _ in 0..PRICE_PAGES {
            let history = self.table.price_history(change.item_id, PageSize::LARGEST, Some(before)).await?;
            for past in &history.past.items {
                if !lowest.read(past) {
                    return Ok(lowest.days(true));
                }
            }
            match history.past.next {
                Some(next) => before = next,
                None => return Ok(lowest.days(true)),
            }
        }
        Ok(lowest.days(false))
    }
}

impl Client for FanOut {
    const NEEDS: Needs = Needs {
        settings: Notifier::NEEDS.settings,
        operations: &[
            "channels",
            "create_notification",
            "crossed_alerts",
            "past_price",
            "price_history",
            "replace_watch",
            "watch",
            "watched_item",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, alerts: Alerts::new(context)?, notifier: Notifier::new(context)? })
    }
}
