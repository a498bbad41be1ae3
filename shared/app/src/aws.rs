//! The configuration of the AWS clients, built without `aws-config`.
//!
//! `aws-config` searches many sources for credentials, region and certificates, which costs about 7 ms of CPU at each
//! cold start. Lambda provides credentials and region in environment variables, so the search is not needed.

use crate::settings::Settings;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_http_client::{
    Connector,
    tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn},
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use domain::Error;
use std::{sync::OnceLock, time::Duration};

/// Amazon's own root certificates (<https://www.amazontrust.com/repository/>): all AWS endpoints chain to them, and
/// reading five is faster than reading the system's hundred and fifty.
pub(crate) const ROOTS: &[u8] = include_bytes!("roots/amazon.pem");

/// Longer than a connection usually survives while Lambda freezes the function; a dead connection costs one retry.
const IDLE_CONNECTION: Duration = Duration::from_mins(1);

pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The configuration that all clients share: one pool of connections, one retry policy.
pub(crate) fn config(settings: &Settings) -> Result<SdkConfig, Error> {
    let credentials = Credentials::new(
        settings.required("AWS_ACCESS_KEY_ID")?,
        settings.required("AWS_SECRET_ACCESS_KEY")?,
        settings.optional("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(8))
        .build();
    let endpoint = settings.optional("AWS_ENDPOINT_URL");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client(endpoint.as_deref())?)
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(timeouts);
    Ok(match endpoint {
        Some(endpoint) => config.endpoint_url(endpoint).build(),
        None => config.build(),
    })
}

/// One connection pool for all clients, created when the first connection is opened: parsing the certificates takes
/// longer than everything else before the first poll of the Runtime API.
fn http_client(endpoint: Option<&str>) -> Result<SharedHttpClient, Error> {
    let tls = tls_context(endpoint)?;
    let connector: OnceLock<SharedHttpConnector> = OnceLock::new();
    Ok(http_client_fn(move |settings, _| {
        connector.get_or_init(|| connect(settings.clone(), tls.clone())).clone()
    }))
}

/// A connection pool for requests that no client of the SDK makes.
pub(crate) fn connector(endpoint: Option<&str>) -> Result<SharedHttpConnector, Error> {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    Ok(connect(settings, tls_context(endpoint)?))
}

/// The certificates that are trusted; `None` for an endpoint without TLS.
fn tls_context(endpoint: Option<&str>) -> Result<Option<TlsContext>, Error> {
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        return Ok(None);
    }
    let roots = TrustStore::empty().with_pem_certificate(ROOTS);
    let context = TlsContext::builder().with_trust_store(roots).build();
    context.map(Some).map_err(|error| Error::internal(format!("TLS: {error}")))
}

fn connect(settings: HttpConnectorSettings, tls: Option<TlsContext>) -> SharedHttpConnector {
    let builder = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .pool_idle_timeout(IDLE_CONNECTION);
    match tls {
        Some(context) => {
            let provider = tls::Provider::Rustls(CryptoMode::AwsLc);
            SharedHttpConnector::new(builder.tls_provider(provider).tls_context(context).build())
        }
        None => SharedHttpConnector::new(builder.build_http()),
    }
}
