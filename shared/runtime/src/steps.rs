//! Steps of state machines, and other calls that bring JSON and take JSON.

use crate::{
    App, Exit,
    telemetry::{Invocation, Record},
};
use domain::Error;
use futures::{FutureExt, future::LocalBoxFuture};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

type Handler = dyn Fn(&'static App, Value) -> LocalBoxFuture<'static, Result<Value, Error>>;

/// Takes a step, each time it is called, until the function is stopped.
///
/// An error's name is what a state machine matches: `Unavailable` for what may succeed when it is tried again, and
/// that alone is to be retried.
pub fn step<I, O, H, F>(handler: H) -> Exit
where
    I: DeserializeOwned,
    O: Serialize,
    H: Fn(&'static App, I) -> F + Clone + 'static,
    F: Future<Output = Result<O, Error>> + 'static,
{
    step_boxed(&move |app, input| {
        let handler = handler.clone();
        async move {
            let input = serde_json::from_value(input)
                .map_err(|error| Error::internal(format!("the input does not read: {error}")))?;
            let output = handler(app, input).await?;
            serde_json::to_value(output)
                .map_err(|error| Error::internal(format!("the output does not serialize: {error}")))
        }
        .boxed_local()
    })
}

fn step_boxed(handler: &Handler) -> Exit {
    crate::app::run(async |app| {
        let service = service_fn(move |event: LambdaEvent<Value>| take(app, handler, event));
        Runtime::new(service).run().await
    })
}

async fn take(app: &'static App, handler: &Handler, event: LambdaEvent<Value>) -> Result<Value, Failure> {
    let invocation = Invocation::begin(app.now());
    let outcome = handler(app, event.payload).await.map_err(Failure);
    let failure = outcome.as_ref().err();
    invocation.end(&Record {
        request_id: &event.context.request_id,
        route: "step",
        status: if failure.is_some() { 500 } else { 200 },
        response_bytes: 0,
        units: app.table.take_units(),
        error: failure.map(Failure::name),
        cause: failure.map(Failure::cause).as_deref(),
    });
    outcome
}

/// A domain error on its way to a state machine.
#[derive(Debug)]
struct Failure(Error);

impl Failure {
    fn name(&self) -> &'static str {
        match self.0 {
            Error::Invalid(_) => "Invalid",
            Error::Unauthenticated { .. } => "Unauthenticated",
            Error::Forbidden { .. } => "Forbidden",
            Error::NotFound { .. } => "NotFound",
            Error::Conflict { .. } => "Conflict",
            Error::Stale { .. } => "Stale",
            Error::Rejected(_) => "Rejected",
            Error::KeyReused => "KeyReused",
            Error::TooMany(_) => "TooMany",
            Error::Unavailable { .. } => "Unavailable",
            Error::Internal { .. } => "Internal",
        }
    }

    fn cause(&self) -> String {
        match &self.0 {
            Error::Unavailable { cause } | Error::Internal { cause } => cause.clone(),
            // A machine hands it on to the step that records it.
            Error::Rejected(reason) => serde_json::to_string(reason).unwrap_or_default(),
            other => format!("{other:?}"),
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.name().to_owned(), error_message: failure.cause() }
    }
}
