//! Secrets in Secrets Manager, and what functions derive from them.

use crate::context::Context;
use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueError};
use aws_types::SdkConfig;
use domain::{Error, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a function uses most secrets before it reads them again, in seconds. A replaced secret must stay valid for
/// that long.
pub(crate) const RELOAD_SECONDS: u64 = 5 * 60;

/// A value that is derived from a secret, such as a client with an API key, and kept between requests.
pub(crate) struct Derived<T> {
    context: Context,
    arn: String,
    reload_seconds: u64,
    /// The value, and the time when the secret was read.
    kept: Mutex<Option<(Arc<T>, Timestamp)>>,
}

impl<T> Derived<T> {
    /// The value of the secret whose ARN this setting has, read again after so many seconds. Sends no request.
    pub(crate) fn of(context: &Context, setting: &str, reload_seconds: u64) -> Result<Self, Error> {
        let arn = context.settings().required(setting)?;
        Ok(Self { context: context.clone(), arn, reload_seconds, kept: Mutex::default() })
    }

    /// The value, from a secret that was read at most `reload_seconds` ago. `derive` makes the value from the text.
    pub(crate) async fn get(
        &self,
        now: Timestamp,
        derive: impl AsyncFnOnce(String) -> Result<T, Error>,
    ) -> Result<Arc<T>, Error> {
        if let Some((value, read_at)) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner)
            && now < read_at.plus_seconds(self.reload_seconds)
        {
            return Ok(Arc::clone(value));
        }
        self.read(now, derive).await
    }

    /// The value, from the secret as it is now.
    pub(crate) async fn read(
        &self,
        now: Timestamp,
        derive: impl AsyncFnOnce(String) -> Result<T, Error>,
    ) -> Result<Arc<T>, Error> {
        let value = Arc::new(derive(read(self.context.sdk(), &self.arn).await?).await?);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&value), now));
        Ok(value)
    }
}

/// Replaces the text of a secret.
pub(crate) async fn put(sdk: &SdkConfig, arn: &str, text: String) -> Result<(), Error> {
    let sent = Client::new(sdk).put_secret_value().secret_id(arn).secret_string(text).send().await;
    sent.map_err(|error| Error::unavailable(format!("PutSecretValue: {error:?}")))?;
    Ok(())
}

/// The text that a secret had before it was replaced; `None` for one that never was.
pub(crate) async fn previous(sdk: &SdkConfig, arn: &str) -> Result<Option<String>, Error> {
    let sent = Client::new(sdk).get_secret_value().secret_id(arn).version_stage("AWSPREVIOUS").send().await;
    match sent {
        Ok(value) => Ok(value.secret_string),
        Err(error)
            if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::unavailable(format!("GetSecretValue: {error:?}"))),
    }
}

/// The text of a secret. Creates a client for each call, because secrets are read rarely.
async fn read(sdk: &SdkConfig, arn: &str) -> Result<String, Error> {
    let sent = Client::new(sdk).get_secret_value().secret_id(arn).send().await;
    let value = sent.map_err(|error| Error::unavailable(format!("GetSecretValue: {error:?}")))?;
    value.secret_string.ok_or_else(|| Error::internal("a secret has no SecretString"))
}
