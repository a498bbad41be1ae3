//! Secrets: reading one.

use crate::App;
use aws_sdk_secretsmanager::Client;
use domain::Error;

impl App {
    /// The text of a secret. Few functions need one, and seldom: there is no client to keep.
    pub(crate) async fn secret(&self, arn: &str) -> Result<String, Error> {
        let sent = Client::new(&self.config).get_secret_value().secret_id(arn).send().await;
        let value = sent.map_err(|error| Error::unavailable(format!("GetSecretValue: {error:?}")))?;
        value.secret_string.ok_or_else(|| Error::internal("a secret that is no text"))
    }
}
