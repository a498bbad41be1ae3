//! The interface between the runtime and a function's clients.

use crate::Exit;
use domain::{
    Error, Timestamp,
    security::{SecurityEvent, Subject},
};
use futures::future::LocalBoxFuture;
use std::time::{SystemTime, UNIX_EPOCH};
use table::Units;

/// The clients of a function, created once per process. `app::clients!` implements it.
pub trait Application: Sized + 'static {
    /// Creates the application, in the init phase.
    fn start() -> Result<Self, Error>;

    /// The time.
    fn now(&self) -> Timestamp;

    /// The capacity units consumed since the last call.
    fn take_units(&self) -> Units;

    /// The security event that was noted since the last call.
    fn take_noted(&self) -> Option<(SecurityEvent, Subject)> {
        None
    }

    /// Opens connections before the first request needs them.
    fn prime(&self) -> impl Future<Output = ()>;
}

/// For functions that have no clients.
pub struct Stateless;

impl Application for Stateless {
    fn start() -> Result<Self, Error> {
        Ok(Self)
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_milliseconds(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn take_units(&self) -> Units {
        Units::default()
    }

    async fn prime(&self) {}
}

/// The object-safe part of [`Application`], so that the runtime's non-generic code is compiled once, not per function.
pub(crate) trait Host {
    fn now(&self) -> Timestamp;
    fn take_units(&self) -> Units;
    fn take_noted(&self) -> Option<(SecurityEvent, Subject)>;
    fn prime(&self) -> LocalBoxFuture<'_, ()>;
}

impl<A: Application> Host for A {
    fn now(&self) -> Timestamp {
        Application::now(self)
    }

    fn take_units(&self) -> Units {
        Application::take_units(self)
    }

    fn take_noted(&self) -> Option<(SecurityEvent, Subject)> {
        Application::take_noted(self)
    }

    fn prime(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(Application::prime(self))
    }
}

/// The number of yields after which the first poll of the Runtime API has been sent, with a margin. If it needs more,
/// it is only sent a little later.
const YIELDS_BEFORE_PRIMING: usize = 16;

/// Creates the application, which lives as long as the process.
pub(crate) fn start<A: Application>() -> Result<&'static A, Box<dyn std::error::Error + Send + Sync>> {
    let app = A::start().map_err(|error| format!("{error:?}"))?;
    Ok(Box::leak(Box::new(app)))
}

/// Runs the function. Connections are opened concurrently with the first poll of the Runtime API.
pub(crate) fn run<E>(host: &'static dyn Host, function: impl Future<Output = Result<(), E>>) -> Exit
where
    Box<dyn std::error::Error + Send + Sync>: From<E>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let prime = async {
        // Each yield lets the other future run, so that the poll is sent before connections are opened.
        for _ in 0..YIELDS_BEFORE_PRIMING {
            tokio::task::yield_now().await;
        }
        host.prime().await;
    };
    let (ended, ()) = runtime.block_on(async { futures::join!(function, prime) });
    Ok(ended?)
}
