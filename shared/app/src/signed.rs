//! Requests to AWS services whose client in the SDK is not worth its compilation, with the SDK's signatures.

use crate::context::Context;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::{identity::Identity, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use domain::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const METHOD: &str = "POST";
const HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];

/// A service.
pub(crate) struct Service {
    /// Its name in messages.
    pub title: &'static str,
    /// Its name in host names.
    pub host: &'static str,
    /// Its name in signatures.
    pub signing_name: &'static str,
}

impl Service {
    /// A signed POST request with a JSON body.
    pub(crate) async fn post(
        &self,
        context: &Context,
        path: &str,
        body: String,
    ) -> Result<HttpRequest, Error> {
        let sdk = context.sdk();
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        let host = sdk.endpoint_url();
        let host =
            host.map_or_else(|| format!("https://{}.{region}.amazonaws.com", self.host), str::to_owned);
        let uri = format!("{host}{path}");
        let provider = sdk.credentials_provider().ok_or_else(|| Error::internal("no credentials"))?;
        let credentials = provider.provide_credentials().await;
        let identity: Identity = credentials.map_err(|error| self.unsigned(&error))?.into();
        let time = UNIX_EPOCH + Duration::from_millis(context.now().unix_milliseconds());
        let mut headers = self.signature(&uri, &body, &identity, &region, time)?;
        headers.extend(HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let request = || {
            let mut request = HttpRequest::new(SdkBody::from(body));
            request.set_method(METHOD).ok()?;
            request.set_uri(uri).ok()?;
            for (name, value) in headers {
                request.headers_mut().try_insert(name, value).ok()?;
            }
            Some(request)
        };
        request().ok_or_else(|| Error::internal(format!("{}: not a possible request", self.title)))
    }

    /// The header fields that sign a request.
    fn signature(
        &self,
        uri: &str,
        body: &str,
        identity: &Identity,
        region: &str,
        time: SystemTime,
    ) -> Result<Vec<(String, String)>, Error> {
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(region)
            .name(self.signing_name)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| self.unsigned(&error))?;
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new(METHOD, uri, HEADERS.into_iter(), body);
        let request = request.map_err(|error| self.unsigned(&error))?;
        let signed = sign(request, &parameters.into()).map_err(|error| self.unsigned(&error))?;
        Ok(signed.output().headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn unsigned(&self, error: &dyn std::error::Error) -> Error {
        Error::internal(format!("{}: the request cannot be signed: {error}", self.title))
    }
}
