//! HTTP to Stripe: forms there, JSON back.

use crate::errors::{Refusal, plain};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use domain::Error;
use form_urlencoded::Serializer;
use serde::de::DeserializeOwned;
use std::{error::Error as Cause, sync::OnceLock, time::Duration};

/// The version of the API that this was written for: of 26 August 2026.
const VERSION: &str = "2026-08-26.dahlia";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Long enough for the calls of one invocation. A connection that a frozen function took along is often dead, and to find that
/// out costs a retry.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// Calls with the account's secret key. It has no `Debug`, so that the key is never printed.
pub struct Client {
    base_url: String,
    secret_key: String,
    connector: OnceLock<SharedHttpConnector>,
}

/// An answer, whatever its status.
pub struct Answer {
    status: u16,
    /// Stripe keeps the first answer to an idempotency key for a day and repeats it: it tells how it was, not how it is.
    pub replayed: bool,
    should_retry: Option<bool>,
    body: Vec<u8>,
    /// For the log: what was asked and what came back.
    summary: String,
}

impl Client {
    pub fn new(base_url: &str, secret_key: &str) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        // A secret that somebody put in by hand often ends with a line break.
        Self { base_url, secret_key: secret_key.trim().to_owned(), connector: OnceLock::new() }
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.call("GET", path, None, SdkBody::empty()).await
    }

    pub async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> Result<Answer, Error> {
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        self.call("POST", path, Some(key), SdkBody::from(form)).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: SdkBody,
    ) -> Result<Answer, Error> {
        let what = format!("Stripe, {method} {path}");
        let request = self.request(method, path, key, body);
        // What is wrong with a header may be the secret key: its value is not told.
        let request = request.ok_or_else(|| Error::internal(format!("{what}: not a possible request")))?;
        let lost = |error: &dyn Cause| format!("{what}: {}", chain(error));
        let response = self.connector().call(request).await.map_err(|error| {
            if error.is_user() { Error::internal(lost(&error)) } else { Error::unavailable(lost(&error)) }
        })?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).map(str::to_owned);
        let replayed = header("idempotent-replayed").as_deref() == Some("true");
        let should_retry = header("stripe-should-retry").and_then(|value| value.parse().ok());
        let summary = format!("{what}: {status} {}", plain(&header("request-id").unwrap_or_default()));
        let body = ByteStream::new(response.into_body()).collect().await;
        let body = body.map_err(|error| Error::unavailable(lost(&error)))?;
        Ok(Answer { status, replayed, should_retry, body: body.to_vec(), summary })
    }

    fn request(&self, method: &str, path: &str, key: Option<&str>, body: SdkBody) -> Option<HttpRequest> {
        let mut request = HttpRequest::new(body);
        request.set_method(method).ok()?;
        request.set_uri(format!("{}{path}", self.base_url)).ok()?;
        let headers = request.headers_mut();
        headers.try_insert("authorization", format!("Bearer {}", self.secret_key)).ok()?;
        headers.try_insert("stripe-version", VERSION).ok()?;
        if let Some(key) = key {
            headers.try_insert("idempotency-key", key.to_owned()).ok()?;
            headers.try_insert("content-type", "application/x-www-form-urlencoded").ok()?;
        }
        Some(request)
    }

    /// Made at the first call: to read the system's certificates takes longer than anything else that a function does before
    /// its first invocation, and functions that wait for none need none.
    fn connector(&self) -> &SharedHttpConnector {
        self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
            let builder = Connector::builder()
                .connector_settings(settings)
                .sleep_impl(TokioSleep::new())
                .pool_idle_timeout(IDLE_CONNECTION);
            if self.base_url.starts_with("http://") {
                return SharedHttpConnector::new(builder.build_http());
            }
            let provider = tls::Provider::Rustls(CryptoMode::AwsLc);
            SharedHttpConnector::new(builder.tls_provider(provider).build())
        })
    }
}

/// What happened, and what led to it.
fn chain(error: &dyn Cause) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl Answer {
    /// What was asked for, or why it is refused.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Result<T, Refusal>, Error> {
        if !(200..300).contains(&self.status) {
            return Ok(Err(Refusal::read(&self.body)));
        }
        // The error's own text would repeat a value.
        let unexpected = |error: serde_json::Error| {
            Error::internal(format!("{}: unexpected {:?} in the body", self.summary, error.classify()))
        };
        serde_json::from_slice(&self.body).map(Ok).map_err(unexpected)
    }

    /// Whether the bank or Stripe declines a payment.
    pub fn is_decline(&self) -> bool {
        self.status == 402
    }

    /// Whether the same call may succeed later: as Stripe says it, or else as its own clients take it. A key or an object that
    /// is in use is a 409 or a 429.
    pub fn is_passing(&self) -> bool {
        self.should_retry.unwrap_or(matches!(self.status, 409 | 429)) || self.is_fault()
    }

    /// Whether Stripe failed. Whether the work was done is then open.
    pub fn is_fault(&self) -> bool {
        self.status >= 500
    }

    /// What it means for us when nothing better is known of it.
    pub fn error(&self, refusal: &Refusal) -> Error {
        let cause = format!("{} {}", self.summary, refusal.summary());
        if self.is_passing() { Error::unavailable(cause) } else { Error::internal(cause) }
    }
}
