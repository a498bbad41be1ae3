//! Rate limits, as the template sets them.

use crate::{App, environment};
use domain::{Error, Timestamp, limit::Limit};
use futures::future::try_join_all;

impl App {
    /// Counts a request against each of these limits: the name of the limit, the setting that holds its quota, and
    /// what it counts by. Fails when one of them is spent.
    pub async fn admit(
        &self,
        operation: &str,
        limits: &[(&'static str, &str, &str)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let window_seconds = environment::number("LIMIT_WINDOW_SECONDS")?;
        let spent = limits.iter().map(|(name, setting, value)| async move {
            let limit = Limit { name, quota: environment::number(setting)?, window_seconds };
            self.table.spend(operation, limit, value, now).await
        });
        let standings = try_join_all(spent).await?;
        if standings.iter().all(|standing| standing.allowed) {
            Ok(())
        } else {
            Err(Error::TooMany(standings))
        }
    }
}
