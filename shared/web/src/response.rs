//! HTTP responses.

use crate::etag;
use domain::idempotency::StoredResponse;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Body,
}

/// A body of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text in UTF-8.
    Text(String),
    /// Bytes that are no text, such as a compressed representation.
    Binary(&'static [u8]),
}

impl Body {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text; empty for bytes.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Binary(_) => String::new(),
        }
    }

    /// The text; empty for bytes.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Binary(_) => "",
        }
    }
}

/// Header of a response that repeats the one to an earlier request with the same idempotency key.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Header that names the applied preference of the client (RFC 7240, section 3).
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The header fields that say who a visitor is.
const VISITOR_FIELDS: &str = "Souk-Visitor, Cookie";

/// A response with a text of this media type.
pub fn text(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Response { status, headers, body: Body::Text(body) }
}

impl Response {
    /// Sets a header field. A value that is not valid in a header is omitted.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Says that the response depends on who the visitor is, and keeps one that was made for a single visitor out of shared
    /// caches (RFC 9111, section 5.2.2.7). A browser stores it and asks whether it is still current, since experiments end.
    #[must_use]
    pub fn by_visitor(self, is_of_one: bool) -> Self {
        let response = self.with(header::VARY, VISITOR_FIELDS);
        if is_of_one { response.with(header::CACHE_CONTROL, "private, no-cache") } else { response }
    }

    /// Sets `ETag` to the tag of a version.
    #[must_use]
    pub fn etag(self, version: domain::Version) -> Self {
        self.with(header::ETAG, etag::of_version(version))
    }

    /// The part of the response that is stored for a replay.
    pub fn to_answer(&self) -> StoredResponse {
        let header = |name: HeaderName| {
            let value = self.headers.get(&name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        };
        StoredResponse {
            status: self.status.as_u16(),
            headers: [header::ETAG, header::LOCATION].into_iter().filter_map(header).collect(),
            body: self.body.as_text().to_owned(),
        }
    }
}
