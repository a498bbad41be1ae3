//! State machines: starting an execution, waiting for its end, reading whether it is running.

use crate::{
    aws::CONNECT_TIMEOUT,
    client::{Client, Needs},
    context::Context,
};
use aws_sdk_sfn::{
    config::{Intercept, interceptors::BeforeSerializationInterceptorContextMut},
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        describe_execution::DescribeExecutionError, start_execution::StartExecutionError,
        start_sync_execution::StartSyncExecutionError,
    },
    types::ExecutionStatus,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{endpoint::EndpointPrefix, runtime_components::RuntimeComponents},
};
use aws_smithy_types::{config_bag::ConfigBag, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::SdkConfig;
use domain::Error;
use serde::Serialize;
use std::{marker::PhantomData, sync::OnceLock, time::Duration};

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

/// user-delete.
pub struct UserDelete;

impl StateMachine for UserDelete {
    const SETTINGS: &'static [&'static str; 1] = &["USER_DELETE_MACHINE_ARN"];
}

/// A machine of the type STANDARD, whose executions can be described.
pub trait Standard: StateMachine {}

impl Standard for ProductDelete {}

impl Standard for UserDelete {}

/// An execution. Its name derives from the entity it works on. A STANDARD machine runs a name once; an EXPRESS machine runs
/// it as often as it is started, also at the same time, so that its steps have to bear that.
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
        self.start_with(execution.name, json(execution.input)?).await
    }

    /// Runs an EXPRESS execution if `state` is pending. With `wait_seconds`, waits for its end for that time at most and
    /// reads the state again with `read`; otherwise only starts it. Returns the last state.
    pub async fn run_and_wait<T, I: Serialize>(
        &self,
        execution: Execution<'_, I>,
        wait_seconds: Option<u64>,
        state: T,
        is_pending: impl Fn(&T) -> bool,
        read: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        // An earlier request may have recorded the work and ended before it started the execution.
        if !is_pending(&state) {
            return Ok(state);
        }
        let Some(seconds) = wait_seconds else {
            self.start(execution).await?;
            return Ok(state);
        };
        let input = json(execution.input)?;
        let sent = self.run(execution.name, &input, Duration::from_secs(seconds)).await;
        match sent {
            // The execution has ended, or the wait has. AWS does not say whether an execution goes on without its
            // caller. If it does not, a repetition of the request or the sweep finishes its work.
            Ok(()) | Err(SdkError::TimeoutError(_)) => {}
            // It may not have begun. If it did, the order of events is that of an execution that runs twice.
            Err(_) => self.start_with(execution.name, input).await?,
        }
        read().await
    }

    /// Runs an execution to its end. How it ended is in the table.
    async fn run(
        &self,
        name: &str,
        input: &str,
        wait: Duration,
    ) -> Result<(), SdkError<StartSyncExecutionError>> {
        // One attempt, as long as the caller waits: another attempt would be another execution.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(wait)
            .operation_timeout(wait);
        let config = aws_sdk_sfn::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        let run = self.client().start_sync_execution().state_machine_arn(&self.arn).name(name).input(input);
        let mut run = run.customize().config_override(config);
        if self.sdk.endpoint_url().is_some() {
            run = run.interceptor(OneHost);
        }
        Box::pin(run.send()).await.map(|_| ())
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

impl<M: Standard> Machines<M> {
    /// Whether the execution of this name is running. False if it was never started. Executions of EXPRESS machines
    /// cannot be described.
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
}

/// Keeps the host of an endpoint override: the SDK would put `sync-` before it, where nothing answers.
#[derive(Debug)]
struct OneHost;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for OneHost {
    fn name(&self) -> &'static str {
        "OneHost"
    }

    fn modify_before_serialization(
        &self,
        _context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().unset::<EndpointPrefix>();
        Ok(())
    }
}

fn json(input: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(input)
        .map_err(|error| Error::internal(format!("an input cannot be serialized: {error}")))
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
