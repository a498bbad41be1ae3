//! Reads secrets from Secrets Manager.

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;
use domain::Error;

/// The text of a secret. Creates a client for each call, because secrets are read rarely.
pub(crate) async fn read(sdk: &SdkConfig, arn: &str) -> Result<String, Error> {
    let sent = Client::new(sdk).get_secret_value().secret_id(arn).send().await;
    let value = sent.map_err(|error| Error::unavailable(format!("GetSecretValue: {error:?}")))?;
    value.secret_string.ok_or_else(|| Error::internal("a secret has no SecretString"))
}
