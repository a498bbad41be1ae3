//! Rate limits, with the quotas that the template sets.

use crate::{
    client::{Client, Needs},
    context::Context,
    table::Table,
};
use domain::{
    Error, Timestamp,
    id::{OrderId, ProductId, UserId},
    limit::{Limit, LimitStatus, SourceCounts},
};
use futures::future::try_join_all;
use std::{
    marker::PhantomData,
    sync::{Mutex, PoisonError},
};

/// One limit of a policy.
pub struct Quota {
    /// What the limit counts by, such as `email`; also its name in the `RateLimit` headers.
    pub name: &'static str,
    /// The setting with the number of requests that one window allows.
    pub setting: &'static str,
}

/// The limits of one operation.
pub trait Policy {
    /// The limited operation, such as `log-in`.
    const OPERATION: &'static str;
    /// The limits. A request is allowed if it is within all of them.
    const QUOTAS: &'static [Quota];
    /// The settings of the quotas and of the window.
    const SETTINGS: &'static [&'static str];
}

/// The setting with the length of a window in seconds, for all limits.
const WINDOW: &str = "LIMIT_WINDOW_SECONDS";

/// Log-ins: by e-mail address and by source network.
pub struct LogIns;

impl Policy for LogIns {
    const OPERATION: &'static str = "log-in";
    const QUOTAS: &'static [Quota] = &[
        Quota { name: "email", setting: "LIMIT_LOGIN_EMAIL" },
        Quota { name: "source", setting: "LIMIT_LOGIN_SOURCE" },
    ];
    const SETTINGS: &'static [&'static str] =
        &["TABLE_NAME", WINDOW, "LIMIT_LOGIN_EMAIL", "LIMIT_LOGIN_SOURCE"];
}

/// Refreshes of sessions: by source network.
pub struct Refreshes;

impl Policy for Refreshes {
    const OPERATION: &'static str = "refresh";
    const QUOTAS: &'static [Quota] = &[Quota { name: "source", setting: "LIMIT_LOGIN_SOURCE" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_LOGIN_SOURCE"];
}

/// Registrations: by e-mail address and by source network.
pub struct Registrations;

impl Policy for Registrations {
    const OPERATION: &'static str = "register";
    const QUOTAS: &'static [Quota] = &[
        Quota { name: "email", setting: "LIMIT_REGISTER_EMAIL" },
        Quota { name: "source", setting: "LIMIT_REGISTER_SOURCE" },
    ];
    const SETTINGS: &'static [&'static str] =
        &["TABLE_NAME", WINDOW, "LIMIT_REGISTER_EMAIL", "LIMIT_REGISTER_SOURCE"];
}

/// Cancellations of orders: by user.
pub struct Cancellations;

impl Policy for Cancellations {
    const OPERATION: &'static str = "cancel";
    const QUOTAS: &'static [Quota] = &[Quota { name: "user", setting: "LIMIT_CANCELLATIONS" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_CANCELLATIONS"];
}

/// New products: by user.
pub struct Products;

impl Policy for Products {
    const OPERATION: &'static str = "product";
    const QUOTAS: &'static [Quota] = &[Quota { name: "user", setting: "LIMIT_PRODUCTS" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_PRODUCTS"];
}

/// Changes of products and of their stock: by user.
pub struct ProductChanges;

impl Policy for ProductChanges {
    const OPERATION: &'static str = "product-change";
    const QUOTAS: &'static [Quota] = &[Quota { name: "user", setting: "LIMIT_PRODUCT_CHANGES" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_PRODUCT_CHANGES"];
}

/// New bands, venues and concerts: by user.
pub struct Concerts;

impl Policy for Concerts {
    const OPERATION: &'static str = "concert";
    const QUOTAS: &'static [Quota] = &[Quota { name: "user", setting: "LIMIT_CONCERTS" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_CONCERTS"];
}

/// New visitors' ids: by source network.
pub struct NewVisitors;

impl Policy for NewVisitors {
    const OPERATION: &'static str = "visitor";
    const QUOTAS: &'static [Quota] = &[Quota { name: "source", setting: "LIMIT_VISITORS_SOURCE" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_VISITORS_SOURCE"];
}

/// New and changed price experiments, whose starts and stops write all their products: by user.
pub struct ExperimentChanges;

impl Policy for ExperimentChanges {
    const OPERATION: &'static str = "experiment";
    const QUOTAS: &'static [Quota] = &[Quota { name: "user", setting: "LIMIT_EXPERIMENTS" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_EXPERIMENTS"];
}

/// New watches, each of which makes a crawl: by user.
pub struct Watches;

impl Policy for Watches {
    const OPERATION: &'static str = "watch";
    const QUOTAS: &'static [Quota] = &[Quota { name: "user", setting: "LIMIT_WATCHES" }];
    const SETTINGS: &'static [&'static str] = &["TABLE_NAME", WINDOW, "LIMIT_WATCHES"];
}

/// Requests for mails with which a password can be reset: by e-mail address and by source network.
pub struct ResetRequests;

impl Policy for ResetRequests {
    const OPERATION: &'static str = "reset-request";
    const QUOTAS: &'static [Quota] = Registrations::QUOTAS;
    const SETTINGS: &'static [&'static str] = Registrations::SETTINGS;
}

/// Uses of tokens from mails: by source network.
pub struct TokenUses;

impl Policy for TokenUses {
    const OPERATION: &'static str = "mail-token";
    const QUOTAS: &'static [Quota] = Refreshes::QUOTAS;
    const SETTINGS: &'static [&'static str] = Refreshes::SETTINGS;
}

/// The limits of a policy, with the quotas that the template sets.
pub struct Limits<P> {
    table: Table,
    quotas: Vec<Limit>,
    policy: PhantomData<P>,
}

impl<P: Policy> Limits<P> {
    /// Counts a request against each limit of the policy. `values` are what the limits count by, in the order of
    /// [`Policy::QUOTAS`]. Fails with `TooMany` when a quota is exhausted.
    pub async fn admit<const N: usize>(&self, values: [&str; N], now: Timestamp) -> Result<(), Error> {
        if N != self.quotas.len() {
            return Err(Error::internal(format!("{N} values for the limits of {}", P::OPERATION)));
        }
        let counted = self.quotas.iter().zip(values);
        let counted = counted.map(|(limit, value)| self.table.spend(P::OPERATION, *limit, value, now));
        allowed(try_join_all(counted).await?)
    }
}

impl<P: Policy> Client for Limits<P> {
    const NEEDS: Needs = Needs { settings: P::SETTINGS, operations: &["spend"] };

    fn new(context: &Context) -> Result<Self, Error> {
        let window_seconds = context.settings().number(WINDOW)?;
        let limit = |quota: &Quota| {
            let quota_of_window = context.settings().number(quota.setting)?;
            Ok(Limit { name: quota.name, quota: quota_of_window, window_seconds })
        };
        let quotas = P::QUOTAS.iter().map(limit).collect::<Result<_, Error>>()?;
        Ok(Self { table: context.table()?, quotas, policy: PhantomData })
    }
}

/// The limits of a customer's orders: how many, and how many that are not paid. An order counts as not paid until its
/// payment is authorised, so that orders that are placed at the same time cannot exceed the limit.
pub struct OrderLimits {
    table: Table,
    limits: [Limit; 2],
}

impl OrderLimits {
    /// Counts a new order. Fails with `TooMany` when a quota is exhausted.
    pub async fn admit(&self, customer: UserId, order: OrderId) -> Result<(), Error> {
        allowed(self.table.admit_order(customer, order, self.limits).await?.to_vec())
    }
}

impl Client for OrderLimits {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", WINDOW, "LIMIT_ORDERS", "LIMIT_DECLINED"],
        operations: &["admit_order"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        let number = |setting| context.settings().number(setting);
        let window_seconds = number(WINDOW)?;
        let limit = |name, quota| Limit { name, quota, window_seconds };
        let limits = [limit("orders", number("LIMIT_ORDERS")?), limit("declined", number("LIMIT_DECLINED")?)];
        Ok(Self { table: context.table()?, limits })
    }
}

/// The limit of new and changed reviews, by user. What it counts also lists the user's reviews.
pub struct ReviewLimit {
    table: Table,
    limit: Limit,
}

impl ReviewLimit {
    /// Counts a new or changed review. Fails with `TooMany` when the quota is exhausted.
    pub async fn admit(&self, author: UserId, product: ProductId, now: Timestamp) -> Result<(), Error> {
        allowed(vec![self.table.admit_review(author, product, self.limit, now).await?])
    }
}

impl Client for ReviewLimit {
    const NEEDS: Needs =
        Needs { settings: &["TABLE_NAME", WINDOW, "LIMIT_REVIEWS"], operations: &["admit_review"] };

    fn new(context: &Context) -> Result<Self, Error> {
        let number = |setting| context.settings().number(setting);
        let limit = Limit { name: "user", quota: number("LIMIT_REVIEWS")?, window_seconds: number(WINDOW)? };
        Ok(Self { table: context.table()?, limit })
    }
}

/// The orders that count as not paid, for the steps that decide it.
pub struct UnpaidOrders {
    table: Table,
    window_seconds: u64,
}

impl UnpaidOrders {
    /// Counts an order no longer as not paid. Idempotent.
    pub async fn remove(&self, customer: UserId, order: OrderId) -> Result<(), Error> {
        self.table.count_as_paid(customer, order, self.window_seconds).await
    }
}

impl Client for UnpaidOrders {
    const NEEDS: Needs = Needs { settings: &["TABLE_NAME", WINDOW], operations: &["count_as_paid"] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, window_seconds: context.settings().number(WINDOW)? })
    }
}

/// The window of limits that are counted in memory, in seconds.
const MEMORY_WINDOW_SECONDS: u64 = 60;

/// A limit by source network. It is counted in the memory of each instance, so that a request writes nothing for it.
struct InMemory {
    limit: Limit,
    counts: Mutex<SourceCounts>,
}

impl InMemory {
    fn new(context: &Context, setting: &str) -> Result<Self, Error> {
        let quota = context.settings().number(setting)?;
        let limit = Limit { name: "source", quota, window_seconds: MEMORY_WINDOW_SECONDS };
        Ok(Self { limit, counts: Mutex::default() })
    }

    fn admit(&self, source: &str, now: Timestamp) -> Result<(), Error> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        allowed(vec![counts.spend(self.limit, source, now)])
    }
}

/// The limit of searches by source network, in memory.
pub struct Searches(InMemory);

impl Searches {
    /// Counts a search. Fails with `TooMany` when the quota is exhausted.
    pub fn admit(&self, source: &str, now: Timestamp) -> Result<(), Error> {
        self.0.admit(source, now)
    }
}

impl Client for Searches {
    const NEEDS: Needs = Needs { settings: &["LIMIT_SEARCH_SOURCE"], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        InMemory::new(context, "LIMIT_SEARCH_SOURCE").map(Self)
    }
}

/// The limit of requests with visitors' events by source network, in memory.
pub struct EventUploads(InMemory);

impl EventUploads {
    /// Counts a request. Fails with `TooMany` when the quota is exhausted.
    pub fn admit(&self, source: &str, now: Timestamp) -> Result<(), Error> {
        self.0.admit(source, now)
    }
}

impl Client for EventUploads {
    const NEEDS: Needs = Needs { settings: &["LIMIT_EVENTS_SOURCE"], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        InMemory::new(context, "LIMIT_EVENTS_SOURCE").map(Self)
    }
}

fn allowed(statuses: Vec<LimitStatus>) -> Result<(), Error> {
    if statuses.iter().all(|status| status.allowed) { Ok(()) } else { Err(Error::TooMany(statuses)) }
}
