//! State machines: starting an execution.

use crate::{App, environment};
use aws_sdk_sfn::{
    Client,
    error::ProvideErrorMetadata,
    operation::{describe_execution::DescribeExecutionError, start_execution::StartExecutionError},
    types::ExecutionStatus,
};
use domain::Error;
use serde::Serialize;
use std::sync::OnceLock;

/// The client, made when first used.
#[derive(Default)]
pub struct Machines(OnceLock<Client>);

/// Whether this call started the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It did, or an identical call before it did.
    Now,
    /// One of the same name has run or is running with another input.
    Before,
}

impl App {
    /// Starts an execution of the machine whose ARN the environment names. The name makes it happen once: whoever
    /// starts an execution of the same name again starts nothing.
    pub async fn start(&self, machine: &str, name: &str, input: &impl Serialize) -> Result<Started, Error> {
        let arn = environment::required(machine)?;
        let input = serde_json::to_string(input)
            .map_err(|error| Error::internal(format!("an input does not serialize: {error}")))?;
        let client = self.machines.0.get_or_init(|| Client::new(&self.config));
        let sent = client.start_execution().state_machine_arn(arn).name(name).input(input).send().await;
        let Err(error) = sent else { return Ok(Started::Now) };
        match error.as_service_error() {
            Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(Started::Before),
            Some(service) if !is_transient(service.code()) => {
                Err(Error::internal(format!("StartExecution: {service}")))
            }
            _ => Err(Error::unavailable(format!("StartExecution: {error:?}"))),
        }
    }
}

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is under way.
    Runs,
    /// It has ended, or was never started.
    Ended,
}

impl App {
    /// How the execution of this name stands, of the machine whose ARN the environment names.
    pub async fn execution(&self, machine: &str, name: &str) -> Result<Standing, Error> {
        let arn = environment::required(machine)?.replace(":stateMachine:", ":execution:");
        let client = self.machines.0.get_or_init(|| Client::new(&self.config));
        match client.describe_execution().execution_arn(format!("{arn}:{name}")).send().await {
            Ok(execution) if *execution.status() == ExecutionStatus::Running => Ok(Standing::Runs),
            // What waits to be redriven waits for somebody, who may not come.
            Ok(_) => Ok(Standing::Ended),
            Err(error) => match error.as_service_error() {
                Some(DescribeExecutionError::ExecutionDoesNotExist(_)) => Ok(Standing::Ended),
                _ => Err(Error::unavailable(format!("DescribeExecution: {error:?}"))),
            },
        }
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
