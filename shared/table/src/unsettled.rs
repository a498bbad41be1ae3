//! The list of unsettled orders, for the sweep: which are due, and which are left to a person.

use crate::{
    engine::{
        item::{Item, n, number, s, text},
        request::Written,
        table::Table,
        update::ItemUpdate,
    },
    keys::{self, PK, SK},
    settlement::{CUSTOMER, EPOCH, Epoch},
    sweep::SweepPosition,
};
use domain::{
    Error, Timestamp,
    attempt::NextAttempt,
    id::{OrderId, UserId},
};

/// The number of failed attempts of the sweep to settle the order.
pub(crate) const ATTEMPTS: &str = "attempts";
/// When the sweep may try again, in milliseconds since 1970.
pub(crate) const RETRY_AT: &str = "retryAt";
/// Why the order is left to a person. The sweep passes over an entry that has it and no time of another attempt.
pub(crate) const STUCK: &str = "stuck";

/// An order that has an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsettledOrder {
    /// The order.
    pub order_id: OrderId,
    /// Its customer.
    pub customer_id: UserId,
    /// The entry that was read.
    pub epoch: Epoch,
    /// The number of failed attempts to settle it.
    pub attempts: u32,
    /// When it may be tried again.
    pub retry_at: Option<Timestamp>,
    /// Why it is left to a person.
    pub stuck: Option<String>,
}

impl UnsettledOrder {
    fn read(item: &Item) -> Option<Self> {
        let retry_at = number(item, RETRY_AT);
        Some(Self {
            order_id: text(item, SK)?.parse().ok()?,
            customer_id: text(item, CUSTOMER)?.parse().ok()?,
            epoch: Epoch::of(item)?,
            attempts: number(item, ATTEMPTS).and_then(|count| count.try_into().ok()).unwrap_or_default(),
            retry_at: retry_at.map(Timestamp::from_unix_milliseconds),
            stuck: text(item, STUCK).map(str::to_owned),
        })
    }

    /// Whether the sweep may try to settle it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.retry_at.map_or(self.stuck.is_none(), |time| time <= now)
    }
}

impl Table {
    /// The next unsettled orders of each partition that were placed before this time, oldest first, and the position
    /// after them.
    pub async fn unsettled_orders(
        &self,
        before: Timestamp,
        position: &SweepPosition,
    ) -> Result<(Vec<UnsettledOrder>, SweepPosition), Error> {
        let (partition, read) = (keys::unsettled_partition, UnsettledOrder::read);
        self.unfinished::<OrderId, _>(partition, before, position, read).await
    }

    /// Records that an attempt to settle an order failed, and why. Returns when it is tried again. An entry that was
    /// settled or replaced in the meantime is left as it is.
    pub async fn count_failed_attempt(
        &self,
        unsettled: &UnsettledOrder,
        cause: &str,
        now: Timestamp,
    ) -> Result<NextAttempt, Error> {
        let attempts = unsettled.attempts + 1;
        let next = NextAttempt::after_failures(attempts, now);
        let NextAttempt::After(time) = next else {
            self.leave_to_a_person(unsettled.order_id, unsettled.epoch, cause, None).await?;
            return Ok(next);
        };
        let write = self.send_update(ItemUpdate {
            key: keys::unsettled(unsettled.order_id),
            update: "SET #attempts = :attempts, #retryAt = :time",
            condition: "#epoch = :epoch",
            names: &[ATTEMPTS, RETRY_AT, EPOCH],
            values: vec![
                ("attempts", n(u64::from(attempts))),
                ("time", n(time.unix_milliseconds())),
                ("epoch", unsettled.epoch.value()),
            ],
        });
        write.await.map(|_| next)
    }

    /// Marks an unsettled order as one for a person, with the reason. The sweep tries it again at this time, if any.
    pub async fn leave_to_a_person(
        &self,
        id: OrderId,
        epoch: Epoch,
        cause: &str,
        retry_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let mut values = vec![("cause", s(cause)), ("epoch", epoch.value())];
        values.extend(retry_at.map(|time| ("time", n(time.unix_milliseconds()))));
        let update = match retry_at {
            Some(_) => "SET #stuck = :cause, #retryAt = :time",
            None => "SET #stuck = :cause REMOVE #retryAt",
        };
        let names = &[STUCK, EPOCH, RETRY_AT];
        let key = keys::unsettled(id);
        let write = self.send_update(ItemUpdate { key, update, condition: "#epoch = :epoch", names, values });
        write.await.map(drop)
    }

    /// Lets the sweep try again to settle an order that was left to a person. Returns whether it has an entry.
    pub async fn retry_unsettled(&self, id: OrderId) -> Result<bool, Error> {
        let write = self.send_update(ItemUpdate {
            key: keys::unsettled(id),
            update: "REMOVE #stuck, #attempts, #retryAt",
            condition: "attribute_exists(#pk)",
            names: &[STUCK, ATTEMPTS, RETRY_AT, PK],
            values: vec![],
        });
        Ok(matches!(write.await?, Written::Done(_)))
    }
}
