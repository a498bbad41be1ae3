//! ClickHouse, with the password of its user.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::{Derived, RELOAD_SECONDS},
};
use analytics::{Account, EventStore};
use domain::Error;
use std::sync::Arc;

const URL: &str = "CLICKHOUSE_URL";
const DATABASE: &str = "CLICKHOUSE_DATABASE";
const USER: &str = "CLICKHOUSE_USER";
const SECRET: &str = "CLICKHOUSE_SECRET_ARN";

/// The events of visitors in ClickHouse, if the environment has its address.
pub struct ClickHouse {
    context: Context,
    /// Address, database, user and store.
    server: Option<(String, String, String, Derived<EventStore>)>,
}

impl ClickHouse {
    /// The events, read and written with a password that was read a few minutes ago at most. `Unavailable` without
    /// ClickHouse.
    pub async fn events(&self) -> Result<Arc<EventStore>, Error> {
        let Some((url, database, user, store)) = &self.server else {
            return Err(Error::unavailable(format!("{URL} is not set")));
        };
        let derive = async |password: String| {
            Ok(EventStore::new(&Account { url, database, user, password: &password }))
        };
        store.get(self.context.now(), derive).await
    }
}

impl Client for ClickHouse {
    const NEEDS: Needs = Needs { settings: &[DATABASE, SECRET, URL, USER], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let settings = context.settings();
        let server = settings.optional(URL).map(|url| {
            let store = Derived::of(context, SECRET, RELOAD_SECONDS)?;
            Ok((url, settings.required(DATABASE)?, settings.required(USER)?, store))
        });
        Ok(Self { context: context.clone(), server: server.transpose()? })
    }
}
