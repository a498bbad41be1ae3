//! What all clients of a function share: settings, the SDK configuration, the table, time and random values.

use crate::{aws, settings::Settings};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::SdkConfig;
use domain::{
    Error, Timestamp,
    id::Id,
    security::{SecurityEvent, Subject},
};
use std::{
    io::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use table::{Table, Units, Writer};

/// The source of time and random bytes.
pub trait Host {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Fills the slice with random bytes.
    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error>;

    /// Writes a line to the log.
    fn write_line(&self, line: &str) {
        // An error of standard output could not be reported anywhere.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// The clock and the random numbers of the operating system.
pub struct SystemHost;

impl Host for SystemHost {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_milliseconds(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|error| Error::internal(format!("no randomness: {error}")))
    }
}

/// Shared state of a function's clients. Created once per process, in the init phase.
#[derive(Clone)]
pub struct Context {
    settings: Settings,
    sdk: SdkConfig,
    host: Arc<dyn Host + Send + Sync>,
    /// The connection to the payment provider, in tests; otherwise the provider's client opens its own.
    payments: Option<SharedHttpConnector>,
    /// The connection to SES, in tests.
    mail: Option<SharedHttpConnector>,
    /// One table client for all users of the table, so that capacity units are summed in one place.
    table: Arc<OnceLock<Arc<Table>>>,
    /// The security event of the present invocation, for its log line.
    noted: Arc<Mutex<Option<(SecurityEvent, Subject)>>>,
}

impl Context {
    /// Creates a context from its parts.
    pub fn new(settings: Settings, sdk: SdkConfig, host: Arc<dyn Host + Send + Sync>) -> Self {
        Self { settings, sdk, host, payments: None, mail: None, table: Arc::default(), noted: Arc::default() }
    }

    /// The context with this connection to the payment provider.
    #[must_use]
    pub fn with_payments(self, connector: SharedHttpConnector) -> Self {
        Self { payments: Some(connector), ..self }
    }

    /// The context with this connection to SES.
    #[must_use]
    pub fn with_mail(self, connector: SharedHttpConnector) -> Self {
        Self { mail: Some(connector), ..self }
    }

    /// Creates the context of this process, from its environment variables and operating system.
    pub fn of_process() -> Result<Self, Error> {
        let settings = Settings::OfProcess;
        let sdk = aws::config(&settings)?;
        Ok(Self::new(settings, sdk, Arc::new(SystemHost)))
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The configuration of the AWS clients.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The connection to the payment provider that the context was given, if any.
    pub(crate) fn payments(&self) -> Option<&SharedHttpConnector> {
        self.payments.as_ref()
    }

    /// The connection to SES that the context was given, if any.
    pub(crate) fn mail(&self) -> Option<&SharedHttpConnector> {
        self.mail.as_ref()
    }

    /// The table whose name is the setting `TABLE_NAME`.
    pub fn table(&self) -> Result<Arc<Table>, Error> {
        let name = self.settings.required("TABLE_NAME")?;
        Ok(Arc::clone(self.table.get_or_init(|| Arc::new(Table::new(&self.sdk, name)))))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.host.fill_random(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn write_line(&self, line: &str) {
        self.host.write_line(line);
    }

    /// A new id.
    pub fn new_id<T: Id>(&self) -> Result<T, Error> {
        Ok(T::new(self.now(), self.random()?))
    }

    /// A new writer id, by which a repeated write recognises its own item.
    pub fn new_writer(&self) -> Result<Writer, Error> {
        self.random().map(Writer)
    }

    /// Runs CPU-bound work, such as hashing a password, on a thread of its own, so that it does not block I/O.
    pub async fn busy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Error::internal(format!("blocking task: {error}")))?
    }

    /// The capacity units consumed since the last call.
    pub fn take_units(&self) -> Units {
        self.table.get().map(|table| table.take_units()).unwrap_or_default()
    }

    /// Lets the log line of this invocation name a security event, and whom it is about. Of several, the last one counts.
    pub fn note(&self, event: SecurityEvent, subject: impl Into<Subject>) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some((event, subject.into()));
    }

    /// The security event that was noted since the last call.
    pub fn take_noted(&self) -> Option<(SecurityEvent, Subject)> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Opens a connection to DynamoDB before the first request needs it, if a client uses the table.
    pub async fn prime(&self) {
        if let Some(table) = self.table.get() {
            table.prime().await;
        }
    }
}
