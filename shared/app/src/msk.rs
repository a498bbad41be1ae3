//! Clusters of Amazon MSK: their brokers, and tokens that show them who connects.

use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sdk_kafka::{Client, error::ProvideErrorMetadata};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_types::SdkConfig;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Error;
use futures::FutureExt;
use kafka::{Authorities, Security, TokenSource};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// The name of MSK's brokers in signatures.
const SIGNING_NAME: &str = "kafka-cluster";
const ACTION: &str = "kafka-cluster:Connect";
/// How long a token is good to connect with.
const TOKEN_SECONDS: u64 = 15 * 60;

/// The addresses in a list that is separated by commas.
pub(crate) fn addresses(list: &str) -> Vec<String> {
    list.split(',').map(str::to_owned).collect()
}

/// The brokers of a cluster, and how to connect to them: with IAM if the cluster has it, otherwise with TLS if it has
/// that.
pub(crate) async fn brokers(
    sdk: &SdkConfig,
    arn: &str,
    authorities: Authorities,
) -> Result<(Vec<String>, Security), Error> {
    let sent = Client::new(sdk).get_bootstrap_brokers().cluster_arn(arn).send().await;
    let found = sent.map_err(|error| {
        Error::unavailable(format!("GetBootstrapBrokers: {} ({error})", error.code().unwrap_or("no answer")))
    })?;
    let present = |list: Option<&str>| list.filter(|list| !list.is_empty()).map(addresses);
    if let Some(brokers) = present(found.bootstrap_broker_string_sasl_iam()) {
        return Ok((brokers, Security::Token(authorities, token_source(sdk))));
    }
    if let Some(brokers) = present(found.bootstrap_broker_string_tls()) {
        return Ok((brokers, Security::Tls(authorities)));
    }
    let brokers = present(found.bootstrap_broker_string());
    brokers
        .map(|brokers| (brokers, Security::Plain))
        .ok_or_else(|| Error::unavailable("the cluster has no brokers"))
}

fn token_source(sdk: &SdkConfig) -> TokenSource {
    let sdk = sdk.clone();
    Arc::new(move || {
        let sdk = sdk.clone();
        async move { token(&sdk, SystemTime::now()).await.map_err(|error| format!("{error:?}")) }.boxed()
    })
}

/// The token of this function's role: a signed URL, as the libraries of AWS for MSK make it.
async fn token(sdk: &SdkConfig, now: SystemTime) -> Result<String, Error> {
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let credentials = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(refused)?,
        None => return Err(Error::internal("there are no credentials")),
    };
    signed(credentials, &region, now)
}

pub(crate) fn signed(credentials: Credentials, region: &str, now: SystemTime) -> Result<String, Error> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(TOKEN_SECONDS));
    let identity: Identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SIGNING_NAME)
        .time(now)
        .settings(settings)
        .build()
        .map_err(refused)?;
    let mut url = url::Url::parse(&format!("https://kafka.{region}.amazonaws.com/")).map_err(refused)?;
    url.query_pairs_mut().append_pair("Action", ACTION);
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]));
    let (instructions, _) =
        sign(request.map_err(refused)?, &parameters.into()).map_err(refused)?.into_parts();
    let mut pairs = url.query_pairs_mut();
    for (name, value) in instructions.params() {
        pairs.append_pair(name, value);
    }
    // The brokers log it; it is not signed.
    pairs.append_pair("User-Agent", "souk");
    drop(pairs);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(url.as_str()))
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("a token for Kafka cannot be made: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// botocore's `SigV4QueryAuth`, which AWS's library for Python uses, signs the same credentials and time like this.
    #[test]
    fn a_token_is_a_signed_url() {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".to_owned()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(498_680);
        let token = signed(credentials, "eu-central-1", now).unwrap();
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        let url = url::Url::parse(&text).unwrap();
        assert_eq!((url.scheme(), url.host_str()), ("https", Some("kafka.eu-central-1.amazonaws.com")));
        let value = |name: &str| {
            url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
        };
        assert_eq!(value("Action").as_deref(), Some("kafka-cluster:Connect"));
        assert_eq!(value("X-Amz-Expires").as_deref(), Some("900"));
        let scope = "AKIDEXAMPLE/20261121/eu-central-1/kafka-cluster/aws4_request";
        assert_eq!(value("X-Amz-Credential").as_deref(), Some(scope));
        assert_eq!(value("X-Amz-SignedHeaders").as_deref(), Some("host"));
        assert_eq!(value("X-Amz-Security-Token").as_deref(), Some("session"));
        assert_eq!(
            value("X-Amz-Signature").as_deref(),
            Some("7d7ec40ff652d3b197688b40343ad27bba444b139821aefabc46afc577426886")
        );
    }
}
