//! Rate limits, with the quotas that the template sets.

use crate::{
    client::{Client, Needs},
    context::Context,
    table::Table,
};
use domain::{Error, Timestamp, limit::Limit};
use futures::future::try_join_all;
use std::marker::PhantomData;

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
        let statuses = try_join_all(counted).await?;
        if statuses.iter().all(|status| status.allowed) { Ok(()) } else { Err(Error::TooMany(statuses)) }
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
