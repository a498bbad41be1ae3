//! What a function has at hand while it runs.

use crate::{Exit, aws, cache::Cache, environment, machines::Machines, payments::Provider, signing::Signing};
use aws_types::SdkConfig;
use domain::{Error, Timestamp, id::Id};
use std::time::{SystemTime, UNIX_EPOCH};
use table::Table;

/// How many turns of the reactor the first poll of the Runtime API takes until it is sent, with some to spare. Should
/// it take more, it is only sent a little later.
const TURNS_OF_THE_POLL: usize = 16;

/// Makes the app and runs the function with it. The connection to the table is opened while the first poll of the
/// Runtime API is under way: neither waits for the other.
pub(crate) fn run<E>(function: impl AsyncFnOnce(&'static App) -> Result<(), E>) -> Exit
where
    Box<dyn std::error::Error + Send + Sync>: From<E>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let app = App::from_environment().map_err(|error| format!("{error:?}"))?;
    // The app lives as long as the process does.
    let app: &'static App = Box::leak(Box::new(app));
    runtime.block_on(async {
        tokio::spawn(async {
            // Each turn lets the reactor run: by then, the poll is on its way.
            for _ in 0..TURNS_OF_THE_POLL {
                tokio::task::yield_now().await;
            }
            app.prime().await;
        });
        Ok(function(app).await?)
    })
}

/// Made once for each process, in the init phase; clients that only few functions need are made when first used.
pub struct App {
    /// Everything that is kept.
    pub table: Table,
    pub(crate) cache: Cache,
    pub(crate) machines: Machines,
    pub(crate) provider: Provider,
    pub(crate) signing: Signing,
    pub(crate) config: SdkConfig,
    /// Whether this function uses the table at all.
    pub(crate) has_table: bool,
}

impl App {
    /// From the environment.
    pub(crate) fn from_environment() -> Result<Self, Error> {
        let config = aws::config()?;
        let name = environment::optional("TABLE_NAME");
        Ok(Self {
            has_table: name.is_some(),
            table: Table::new(&config, name.unwrap_or_default()),
            cache: Cache::default(),
            machines: Machines::default(),
            provider: Provider::default(),
            signing: Signing::default(),
            config,
        })
    }

    /// A setting that is a whole number.
    pub fn setting(&self, name: &str) -> Result<u64, Error> {
        environment::number(name)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_milliseconds(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// So many random bytes, from the operating system.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).map_err(|error| Error::internal(format!("no randomness: {error}")))?;
        Ok(bytes)
    }

    /// A new id.
    pub fn new_id<T: Id>(&self) -> Result<T, Error> {
        Ok(T::new(self.now(), self.random()?))
    }

    /// Runs work that keeps a processor busy, such as hashing a password, off the thread that does the I/O.
    pub async fn busy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Error::internal(format!("work off the main thread: {error}")))?
    }

    /// Opens the connection to the table, so that the first request finds it open.
    pub(crate) async fn prime(&self) {
        if self.has_table {
            self.table.prime().await;
        }
    }
}
