//! Requests whose work a state machine does: starting the execution, and waiting for its end.

use crate::App;
use domain::Error;
use serde::Serialize;
use std::time::Duration;
use web::{Asked, Request};

/// How often work that is waited for is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// An execution that does the work of a request.
pub struct Execution<'a, I> {
    /// The setting that holds the ARN of its machine.
    pub machine: &'static str,
    /// What it is named after.
    pub name: &'a str,
    /// Its input.
    pub input: &'a I,
}

impl App {
    /// Starts the execution of what was asked for, unless the work has ended, and looks at the work until it ends or the client
    /// would wait no longer.
    pub async fn see_through<T, I: Serialize>(
        &self,
        request: &Request,
        asked: Asked<T>,
        execution: Execution<'_, I>,
        is_under_way: impl Fn(&T) -> bool,
        look: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<Asked<T>, Error> {
        let Asked { mut now, replayed } = asked;
        // Whoever recorded the request may have died before starting the execution, which its name makes happen once.
        if is_under_way(&now) {
            let Execution { machine, name, input } = execution;
            self.start(machine, name, input).await?;
        }
        let end = self.now().plus_seconds(request.wait_seconds().unwrap_or_default());
        while is_under_way(&now) && self.now() < end {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            now = look().await?;
        }
        Ok(Asked { now, replayed })
    }
}
