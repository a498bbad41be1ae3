//! HTTP client for Stripe: form-encoded requests, JSON responses.

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
use domain::{Error, error::with_sources};
use form_urlencoded::Serializer;
use serde::de::DeserializeOwned;
use std::{error::Error as Cause, sync::OnceLock, time::Duration};

/// The version of Stripe's API, sent with each request.
const VERSION: &str = "2026-08-26.dahlia";

/// The key until one is set: the default value of the template.
const UNSET: &str = "unset";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Long enough for the calls of one invocation. Connections that stay open while Lambda freezes the function are often
/// closed by the server, and the next call on them fails.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// A client with the account's secret key. It does not implement `Debug`, so that the key is never printed.
pub struct HttpClient {
    base_url: String,
    secret_key: String,
    connector: OnceLock<SharedHttpConnector>,
}

/// A response with any status.
pub struct StripeResponse {
    status: u16,
    /// Whether Stripe replayed the stored response of an earlier request with the same idempotency key. Such a response
    /// may not reflect the current state.
    pub replayed: bool,
    should_retry: Option<bool>,
    body: Vec<u8>,
    /// Request and response for the log: method, path, status, request id.
    summary: String,
}

impl HttpClient {
    pub fn new(base_url: &str, secret_key: &str) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        // A secret that was entered by hand often ends with a line feed.
        Self { base_url, secret_key: secret_key.trim().to_owned(), connector: OnceLock::new() }
    }

    /// The client with this connector instead of its own.
    pub fn with_connector(self, connector: SharedHttpConnector) -> Self {
        Self { connector: OnceLock::from(connector), ..self }
    }

    pub fn has_key(&self) -> bool {
        self.secret_key != UNSET
    }

    pub async fn get(&self, path: &str) -> Result<StripeResponse, Error> {
        self.call("GET", path, None, SdkBody::empty()).await
    }

    pub async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> Result<StripeResponse, Error> {
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        self.call("POST", path, Some(key), SdkBody::from(form)).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: SdkBody,
    ) -> Result<StripeResponse, Error> {
        let what = format!("Stripe, {method} {path}");
        let request = self.request(method, path, key, body);
        // The invalid header may be the secret key, so its value is not in the error.
        let request = request.ok_or_else(|| Error::internal(format!("{what}: not a possible request")))?;
        let failed = |error: &dyn Cause| format!("{what}: {}", with_sources(error));
        let response = self.connector().call(request).await.map_err(|error| {
            if error.is_user() { Error::internal(failed(&error)) } else { Error::unavailable(failed(&error)) }
        })?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).map(str::to_owned);
        let replayed = header("idempotent-replayed").as_deref() == Some("true");
        let should_retry = header("stripe-should-retry").and_then(|value| value.parse().ok());
        let summary = format!("{what}: {status} {}", plain(&header("request-id").unwrap_or_default()));
        let body = ByteStream::new(response.into_body()).collect().await;
        let body = body.map_err(|error| Error::unavailable(failed(&error)))?;
        Ok(StripeResponse { status, replayed, should_retry, body: body.to_vec(), summary })
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

    /// Created on the first call, not at start: loading the system's root certificates would be the slowest part of a
    /// cold start.
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

impl StripeResponse {
    /// Parses the body: a `T` if the status is 2xx, else a [`Refusal`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<Result<T, Refusal>, Error> {
        if !(200..300).contains(&self.status) {
            return Ok(Err(Refusal::read(&self.body)));
        }
        // The text of `error` may contain a value from the body, so only its category is in the cause.
        let unexpected = |error: serde_json::Error| {
            Error::internal(format!("{}: unexpected {:?} in the body", self.summary, error.classify()))
        };
        serde_json::from_slice(&self.body).map(Ok).map_err(unexpected)
    }

    /// Whether the bank or Stripe declined the payment.
    pub fn is_decline(&self) -> bool {
        self.status == 402
    }

    /// Whether the error is transient: as `Stripe-Should-Retry` says, else by the rule of Stripe's own clients. Stripe
    /// answers 409 or 429 while another request uses the same idempotency key or object.
    pub fn is_transient(&self) -> bool {
        self.should_retry.unwrap_or(matches!(self.status, 409 | 429)) || self.is_fault()
    }

    /// Whether Stripe failed (5xx). The request may or may not have taken effect.
    pub fn is_fault(&self) -> bool {
        self.status >= 500
    }

    /// The default error: `Unavailable` if transient, else `Internal`.
    pub fn error(&self, refusal: &Refusal) -> Error {
        let cause = format!("{} {}", self.summary, refusal.summary());
        if self.is_transient() { Error::unavailable(cause) } else { Error::internal(cause) }
    }
}
