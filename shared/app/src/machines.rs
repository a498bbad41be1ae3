//! State machines: starting an execution, waiting for its result, reading whether it is running.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use aws_sdk_sfn::{
    error::ProvideErrorMetadata,
    operation::{describe_execution::DescribeExecutionError, start_execution::StartExecutionError},
    types::ExecutionStatus,
};
use aws_types::SdkConfig;
use domain::Error;
use serde::Serialize;
use std::{marker::PhantomData, sync::OnceLock, time::Duration};
use tokio::time::{Instant, sleep};

/// The interval between reads while a request waits for the result of an execution.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A state machine of the template.
pub trait StateMachine {
    /// The setting with the ARN of the state machine.
    const SETTINGS: &'static [&'static str; 1];
}

/// concert-create.
pub struct ConcertCreate;

impl StateMachine for ConcertCreate {
    const SETTINGS: &'static [&'static str; 1] = &["CONCERT_CREATE_MACHINE_ARN"];
}

/// order-cancel.
pub struct OrderCancel;

impl StateMachine for OrderCancel {
    const SETTINGS: &'static [&'static str; 1] = &["ORDER_CANCEL_MACHINE_ARN"];
}

/// order-place.
pub struct OrderPlace;

impl StateMachine for OrderPlace {
    const SETTINGS: &'static [&'static str; 1] = &["ORDER_PLACE_MACHINE_ARN"];
}

/// product-delete.
pub struct ProductDelete;

impl StateMachine for ProductDelete {
    const SETTINGS: &'static [&'static str; 1] = &["PRODUCT_DELETE_MACHINE_ARN"];
}

/// An execution. Its name derives from the entity it works on, so that a second start for that entity has no effect.
#[derive(Debug, Clone, Copy)]
pub struct Execution<'a, I> {
    /// The name, unique among the executions of the machine.
    pub name: &'a str,
    /// The input, serialized to JSON.
    pub input: &'a I,
}

/// Executions of one state machine.
pub struct Machines<M> {
    sdk: SdkConfig,
    client: OnceLock<aws_sdk_sfn::Client>,
    arn: String,
    machine: PhantomData<M>,
}

impl<M: StateMachine> Client for Machines<M> {
    const NEEDS: Needs = Needs { settings: M::SETTINGS, operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let [setting] = M::SETTINGS;
        let arn = context.settings().required(setting)?;
        Ok(Self { sdk: context.sdk().clone(), client: OnceLock::new(), arn, machine: PhantomData })
    }
}

impl<M> Machines<M> {
    /// Starts an execution. An execution of this name that exists already, running or ended, is no error.
    pub async fn start<I: Serialize>(&self, execution: Execution<'_, I>) -> Result<(), Error> {
        let input = serde_json::to_string(execution.input)
            .map_err(|error| Error::internal(format!("an input cannot be serialized: {error}")))?;
        self.start_with(execution.name, input).await
    }

    /// Starts an execution if `state` is pending, then polls the state with `read` until it is no longer pending or
    /// `wait_seconds` have passed. Returns the last state.
    pub async fn run_and_wait<T, I: Serialize>(
        &self,
        execution: Execution<'_, I>,
        wait_seconds: Option<u64>,
        mut state: T,
        is_pending: impl Fn(&T) -> bool,
        read: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if is_pending(&state) {
            // An earlier request may have recorded the work and ended before it started the execution.
            self.start(execution).await?;
        }
        let end = Instant::now() + Duration::from_secs(wait_seconds.unwrap_or_default());
        while is_pending(&state) && Instant::now() < end {
            sleep(POLL_INTERVAL).await;
            state = read().await?;
        }
        Ok(state)
    }

    /// Whether the execution of this name is running. False if it was never started, and if it failed and can be
    /// redriven, because only an operator redrives executions.
    pub async fn is_running(&self, name: &str) -> Result<bool, Error> {
        let arn = format!("{}:{name}", self.arn.replace(":stateMachine:", ":execution:"));
        match self.client().describe_execution().execution_arn(arn).send().await {
            Ok(execution) => Ok(*execution.status() == ExecutionStatus::Running),
            Err(error) => match error.as_service_error() {
                Some(DescribeExecutionError::ExecutionDoesNotExist(_)) => Ok(false),
                _ => Err(Error::unavailable(format!("DescribeExecution: {error:?}"))),
            },
        }
    }

    async fn start_with(&self, name: &str, input: String) -> Result<(), Error> {
        let sent =
            self.client().start_execution().state_machine_arn(&self.arn).name(name).input(input).send();
        let Err(error) = sent.await else { return Ok(()) };
        match error.as_service_error() {
            Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(()),
            Some(service) if !is_transient(service.code()) => {
                Err(Error::internal(format!("StartExecution: {service}")))
            }
            _ => Err(Error::unavailable(format!("StartExecution: {error:?}"))),
        }
    }

    fn client(&self) -> &aws_sdk_sfn::Client {
        self.client.get_or_init(|| aws_sdk_sfn::Client::new(&self.sdk))
    }
}

fn is_transient(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "ExecutionLimitExceeded"
                | "ThrottlingException"
                | "KmsThrottlingException"
                | "ServiceUnavailable"
        )
    )
}
