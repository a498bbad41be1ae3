//! Steps of state machines, and other invocations with JSON input and JSON output.

use crate::{
    Exit,
    application::{self, Application, Host},
    telemetry::{Invocation, LogRecord},
};
use domain::Error;
use futures::{FutureExt, future::LocalBoxFuture};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

type Handler = dyn Fn(Value) -> LocalBoxFuture<'static, Result<Value, Error>>;

/// Runs the handler for each invocation until the function is stopped.
///
/// State machines match errors by name. `Unavailable` is transient; it is the only one of these to be retried. A
/// rejection and a conflict are results: see [`step_result`].
pub fn step<A, I, O, H, F>(handler: H) -> Exit
where
    A: Application,
    I: DeserializeOwned,
    O: Serialize,
    H: Fn(&'static A, I) -> F + Clone + 'static,
    F: Future<Output = Result<O, Error>> + 'static,
{
    let app: &'static A = application::start()?;
    step_boxed(app, &move |input| {
        let handler = handler.clone();
        async move {
            let input = serde_json::from_value(input)
                .map_err(|error| Error::internal(format!("the input cannot be deserialized: {error}")))?;
            let output = handler(app, input).await?;
            serde_json::to_value(output)
                .map_err(|error| Error::internal(format!("the output cannot be serialized: {error}")))
        }
        .boxed_local()
    })
}

fn step_boxed(host: &'static dyn Host, handler: &Handler) -> Exit {
    application::run(host, async {
        let service = service_fn(move |event: LambdaEvent<Value>| take(host, handler, event));
        Runtime::new(service).run().await
    })
}

async fn take(host: &dyn Host, handler: &Handler, event: LambdaEvent<Value>) -> Result<Value, StepFailure> {
    let invocation = Invocation::begin(host.now());
    let outcome = handler(event.payload).await.map_err(StepFailure);
    let failure = outcome.as_ref().err();
    let (event_name, subject) = host.take_noted().unzip();
    invocation.end(&LogRecord {
        request_id: &event.context.request_id,
        route: "step",
        status: failure.map_or(200, StepFailure::status),
        response_bytes: 0,
        units: host.take_units(),
        subject: subject.unwrap_or_default(),
        event: event_name,
        error: failure.map(StepFailure::name),
        cause: failure.map(StepFailure::cause).as_deref(),
    });
    step_result(outcome)
}

/// What the state machine receives. A rejection is the output `{"rejected": reason}`, and a conflict `{"conflict": detail}`,
/// which a Choice reads, and no error: a declined card, a product that is out of stock or an execution that comes late must
/// not count as a failed invocation.
pub fn step_result(outcome: Result<Value, StepFailure>) -> Result<Value, StepFailure> {
    match outcome {
        Err(StepFailure(Error::Rejected(reason))) => Ok(json!({"rejected": reason})),
        Err(StepFailure(Error::Conflict { detail })) => Ok(json!({"conflict": detail})),
        outcome => outcome,
    }
}

/// A domain error, as the state machine receives it.
#[derive(Debug)]
pub struct StepFailure(pub Error);

impl StepFailure {
    /// The status in the log.
    fn status(&self) -> u16 {
        match self.0 {
            Error::Rejected(_) => 422,
            Error::Conflict { .. } => 409,
            _ => 500,
        }
    }

    /// The name of the error, which a state machine's `Retry` and `Catch` match.
    pub fn name(&self) -> &'static str {
        match self.0 {
            Error::Invalid(_) => "Invalid",
            Error::Unauthenticated { .. } | Error::RefreshReused => "Unauthenticated",
            Error::Forbidden { .. } => "Forbidden",
            Error::NotFound { .. } => "NotFound",
            Error::Conflict { .. } | Error::StockOutOfBounds { .. } => "Conflict",
            Error::Stale { .. } => "Stale",
            Error::Rejected(_) => "Rejected",
            Error::KeyReused => "KeyReused",
            Error::TooMany(_) => "TooMany",
            Error::Unavailable { .. } => "Unavailable",
            Error::Internal { .. } => "Internal",
        }
    }

    /// The message of the error; of a rejection, the reason as JSON.
    pub fn cause(&self) -> String {
        match &self.0 {
            Error::Unavailable { cause } | Error::Internal { cause } => cause.clone(),
            Error::Rejected(reason) => serde_json::to_string(reason).unwrap_or_default(),
            other => format!("{other:?}"),
        }
    }
}

impl From<StepFailure> for Diagnostic {
    fn from(failure: StepFailure) -> Self {
        Self { error_type: failure.name().to_owned(), error_message: failure.cause() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rejection::RejectionReason;

    #[test]
    fn a_rejection_and_a_conflict_are_results_and_an_error_is_not() {
        let declined = RejectionReason::PaymentDeclined { detail: "Declined.".to_owned() };
        let rejected = step_result(Err(StepFailure(Error::Rejected(declined.clone()))));
        assert_eq!(rejected.unwrap(), json!({"rejected": declined}));
        let conflict = Error::Conflict { detail: "Too late." };
        assert_eq!(step_result(Err(StepFailure(conflict))).unwrap(), json!({"conflict": "Too late."}));
        let failed = step_result(Err(StepFailure(Error::unavailable("x"))));
        assert_eq!(failed.unwrap_err().name(), "Unavailable");
        assert_eq!(step_result(Ok(json!(7))).unwrap(), 7);
    }
}
