//! One request to a host: no redirect is followed, no proxy is used, and time and size are bounded.

use crate::{PageAddress, body, page::MediaType, resolver::Resolver, retry_after, roots};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{DateTime, body::SdkBody, byte_stream::ByteStream};
use domain::{
    error::with_sources,
    observation::{Reason, Validators},
};
use std::{
    error::Error,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

/// The largest page, before and after decompression.
const LARGEST: usize = 4 * 1024 * 1024;

/// What a failed request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub reason: Reason,
    /// The host is not to be asked again before this time has passed.
    pub retry_after: Option<Duration>,
    /// The host was not asked: the pace that it is asked at would have taken too long.
    pub is_own_pace: bool,
    /// Detail for the log; never sent to the client.
    pub cause: String,
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after: None, is_own_pace: false, cause: String::new() }
    }
}

/// A longer validator is not kept: it would fill the item's state.
const LONGEST_VALIDATOR: usize = 256;

/// What a host answers.
#[derive(Debug)]
pub enum Answer {
    /// 200.
    Page(ServedPage),
    /// Another address, as the header says it.
    Redirect(String),
    /// 304: the page has not changed.
    NotModified,
}

/// A page, decompressed.
#[derive(Debug)]
pub struct ServedPage {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// For the next request.
    pub validators: Validators,
    /// All fields of `Link`.
    pub link: String,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// An HTML page, if it has changed.
    Page(&'a Validators),
    /// A list in JSON-LD.
    List,
    /// A robots.txt of any type, of which only the start is read.
    Robots,
}

/// The HTTP client.
#[derive(Debug)]
pub struct PageClient {
    user_agent: String,
    resolver: Resolver,
    roots: fn() -> Vec<u8>,
    connector: OnceLock<SharedHttpConnector>,
}

impl PageClient {
    /// A client with this `User-Agent`.
    pub fn new(user_agent: &str, resolver: Resolver) -> Self {
        Self::with_roots(user_agent, resolver, roots::mozilla)
    }

    /// A client that trusts these certificates (PEM).
    pub fn with_roots(user_agent: &str, resolver: Resolver, roots: fn() -> Vec<u8>) -> Self {
        Self { user_agent: user_agent.to_owned(), resolver, roots, connector: OnceLock::new() }
    }

    /// Sends one request. The caller bounds the time.
    pub async fn get(&self, address: &PageAddress, resource: Resource<'_>) -> Result<Answer, Failure> {
        let request = self.request(address, resource);
        let request = request.ok_or_else(|| failure(Reason::Connection, "not a possible request"))?;
        let response = self.call(request).await?;
        let status = response.status().as_u16();
        match (status, resource) {
            (200, _) => read(response, resource).await.map(Answer::Page),
            (301 | 302 | 303 | 307 | 308, _) => {
                let location = header(&response, "location");
                let location = location.filter(|location| !location.is_empty());
                location
                    .map(Answer::Redirect)
                    .ok_or_else(|| failure(Reason::ServerError, "redirect without location"))
            }
            (304, Resource::Page(validators)) if *validators != Validators::default() => {
                Ok(Answer::NotModified)
            }
            _ => Err(refusal(&response)),
        }
    }

    /// Posts a body and returns the status of the answer, whose body is not read. The caller bounds the time.
    pub async fn post(
        &self,
        address: &PageAddress,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, Failure> {
        let request = || {
            let mut request = self.bare_request("POST", address, SdkBody::from(body))?;
            for (name, value) in headers {
                request.headers_mut().try_insert(*name, value.clone()).ok()?;
            }
            Some(request)
        };
        let request = request().ok_or_else(|| failure(Reason::Connection, "not a possible request"))?;
        Ok(self.call(request).await?.status().as_u16())
    }

    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.connector()?.call(request).await.map_err(|error| {
            let reason = resolved(&error).unwrap_or(if error.is_timeout() {
                Reason::Timeout
            } else {
                Reason::Connection
            });
            failure(reason, &with_sources(&error))
        })
    }

    fn bare_request(&self, method: &str, address: &PageAddress, body: SdkBody) -> Option<HttpRequest> {
        let mut request = HttpRequest::new(body);
        request.set_method(method).ok()?;
        request.set_uri(address.as_str().to_owned()).ok()?;
        request.headers_mut().try_insert("user-agent", self.user_agent.clone()).ok()?;
        Some(request)
    }

    fn request(&self, address: &PageAddress, resource: Resource<'_>) -> Option<HttpRequest> {
        let mut request = self.bare_request("GET", address, SdkBody::empty())?;
        let headers = request.headers_mut();
        headers.try_insert("accept-encoding", body::ACCEPTED).ok()?;
        match resource {
            Resource::Page(validators) => {
                headers.try_insert("accept", "text/html, application/xhtml+xml").ok()?;
                for (name, value) in
                    [("if-none-match", &validators.etag), ("if-modified-since", &validators.last_modified)]
                {
                    if let Some(value) = value {
                        headers.try_insert(name, value.clone()).ok()?;
                    }
                }
            }
            Resource::List => {
                headers.try_insert("accept", JSON_LD).ok()?;
            }
            Resource::Robots => {
                headers.try_insert("accept", "text/plain").ok()?;
            }
        }
        Some(request)
    }

    /// Created at the first request: parsing a hundred and fifty certificates takes milliseconds.
    fn connector(&self) -> Result<&SharedHttpConnector, Failure> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let trusted = TrustStore::empty().with_pem_certificate((self.roots)());
        let context = TlsContext::builder().with_trust_store(trusted).build();
        let context = context.map_err(|error| failure(Reason::Connection, &format!("TLS: {error}")))?;
        Ok(self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
            // Without a proxy configuration the connector uses none, whatever the environment says.
            let connector = Connector::builder()
                .connector_settings(settings)
                .sleep_impl(TokioSleep::new())
                .pool_idle_timeout(IDLE_CONNECTION)
                .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(context)
                .build_with_resolver(self.resolver.clone());
            SharedHttpConnector::new(connector)
        }))
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Long enough for a page and its canonical one.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

async fn read(response: HttpResponse, resource: Resource<'_>) -> Result<ServedPage, Failure> {
    let content_type = header(&response, "content-type");
    let is_wanted = match resource {
        Resource::Page(_) => MediaType::parse(content_type.as_deref()).is_some(),
        Resource::List => content_type.as_deref().is_some_and(is_json_ld),
        Resource::Robots => true,
    };
    if !is_wanted {
        return Err(failure(Reason::NotHtml, content_type.as_deref().unwrap_or("no content type")));
    }
    let encodings: Vec<&str> = response.headers().get_all("content-encoding").collect();
    let encoding = encodings.join(",");
    let kept = |name| header(&response, name).filter(|value| value.len() <= LONGEST_VALIDATOR);
    let validators = Validators { etag: kept("etag"), last_modified: kept("last-modified") };
    let link = response.headers().get_all("link").collect::<Vec<_>>().join(", ");
    let limit = match resource {
        Resource::Page(_) | Resource::List => LARGEST,
        Resource::Robots => crate::robots::MOST_READ,
    };
    let mut received = Vec::new();
    let mut stream = ByteStream::new(response.into_body());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| failure(Reason::Connection, &with_sources(&error)))?;
        received.extend_from_slice(&chunk);
        if received.len() > limit {
            break;
        }
    }
    let body = match resource {
        Resource::Page(_) | Resource::List if received.len() > limit => return Err(Reason::TooLarge.into()),
        Resource::Page(_) | Resource::List => body::decompress(&received, &encoding, limit)?,
        // What comes after the limit is ignored. A compressed one may have been cut off.
        Resource::Robots => body::decompress_start(&received, &encoding, limit)?,
    };
    Ok(ServedPage { content_type, body, validators, link })
}

/// The media type of lists.
const JSON_LD: &str = "application/ld+json";

fn is_json_ld(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(JSON_LD))
}

fn header(response: &HttpResponse, name: &str) -> Option<String> {
    response.headers().get(name).map(str::to_owned)
}

/// The reason of a status that is neither a page nor a redirect.
fn refusal(response: &HttpResponse) -> Failure {
    let status = response.status().as_u16();
    let reason = match status {
        404 | 410 => Reason::Gone,
        408 | 425 => Reason::ServerError,
        429 => Reason::RateLimited,
        400..=499 => Reason::Forbidden,
        201..=299 => Reason::NotHtml,
        _ => Reason::ServerError,
    };
    let now = DateTime::from(SystemTime::now());
    let retry_after = header(response, "retry-after").and_then(|value| retry_after::parse(&value, now));
    let retry_after = retry_after.filter(|_| reason.may_pass());
    Failure { reason, retry_after, is_own_pace: false, cause: format!("status {status}") }
}

fn failure(reason: Reason, cause: &str) -> Failure {
    Failure { cause: cause.to_owned(), ..reason.into() }
}

/// The reason why the resolver refused the name, if it did.
fn resolved(error: &(dyn Error + 'static)) -> Option<Reason> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(reason) = error.downcast_ref() {
            return Some(*reason);
        }
        next = error.source();
    }
    None
}
