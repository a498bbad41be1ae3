//! Problems (RFC 9457): the only form of error responses.

use crate::{
    etag,
    response::{self, Response},
};
use domain::{Error, Fault, FaultLocation, error::MOST_FAULTS, limit::LimitStatus, stock::HIGHEST_STOCK};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// The problem types. Each has its own URI and title, and a status; the OpenAPI document lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body is not JSON.
    MalformedRequest,
    /// The request is invalid; `errors` lists every fault, 100 at most.
    Validation,
    /// The address of a page is refused by its text; `reason` says why.
    AddressRefused,
    /// Wrong credentials, or a missing or invalid token.
    Unauthenticated,
    /// The resource belongs to another user.
    Forbidden,
    /// The resource does not exist.
    NotFound,
    /// The path does not have this method.
    MethodNotAllowed,
    /// The current state of the resource does not allow the request.
    Conflict,
    /// An order's total is another than the expected one; `lines` and `total` have the current prices.
    PriceChanged,
    /// `If-Match` does not name the current version.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The idempotency key was used before with a different request.
    IdempotencyMismatch,
    /// `If-Match` is missing.
    PreconditionRequired,
    /// A rate limit is exceeded.
    TooManyRequests,
    /// A concert request failed; everything that it created is deleted.
    ConcertNotCreated,
    /// An order was rejected; it takes no stock and no money.
    OrderRejected,
    /// A page cannot be watched; `reason` says why.
    PageNotWatchable,
    /// A defect or a misconfiguration of Souk.
    Internal,
    /// A dependency is unavailable.
    Unavailable,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::MalformedRequest,
        Self::Validation,
        Self::AddressRefused,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PriceChanged,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyMismatch,
        Self::ConcertNotCreated,
        Self::OrderRejected,
        Self::PageNotWatchable,
        Self::PreconditionRequired,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The status, the last segment of the URI, and the title.
    pub fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedRequest => (StatusCode::BAD_REQUEST, "malformed-request", "Malformed request"),
            Self::Validation => (StatusCode::BAD_REQUEST, "validation", "Invalid request"),
            Self::AddressRefused => (StatusCode::BAD_REQUEST, "address-refused", "Address refused"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::PriceChanged => (StatusCode::CONFLICT, "price-changed", "Price changed"),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "precondition-failed", "Precondition failed")
            }
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", "Payload too large")
            }
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
            }
            Self::IdempotencyMismatch => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-mismatch", "Idempotency key reused")
            }
            Self::ConcertNotCreated => {
                (StatusCode::UNPROCESSABLE_ENTITY, "concert-not-created", "Concert not created")
            }
            Self::OrderRejected => (StatusCode::UNPROCESSABLE_ENTITY, "order-rejected", "Order rejected"),
            Self::PageNotWatchable => {
                (StatusCode::UNPROCESSABLE_ENTITY, "page-not-watchable", "Page not watchable")
            }
            Self::PreconditionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "precondition-required", "Precondition required")
            }
            Self::TooManyRequests => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
        }
    }

    /// The URI of the kind. It never changes.
    pub fn uri(self) -> String {
        format!("urn:souk:problem:{}", self.describe().1)
    }
}

/// An error response, and the detail for the log.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The kind.
    pub kind: Kind,
    /// The message for the caller.
    pub detail: String,
    /// `Validation`: every fault. `OrderRejected`: the lines without enough stock.
    pub faults: Vec<Fault>,
    /// Additional members of the document (RFC 9457, 3.2).
    pub members: Box<[(&'static str, Value)]>,
    /// Additional header fields of the response.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Detail for the log; never sent to the client.
    pub cause: Option<String>,
}

/// `Retry-After` of a 503 response, in seconds.
const RETRY_SECONDS: u64 = 1;

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (detail, faults, members) = (detail.into(), Vec::new(), Box::default());
        Self { kind, detail, faults, members, headers: Vec::new(), cause: None }
    }

    /// A `Validation` problem with these faults.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let detail = format!("The request breaks rules; `errors` names every fault, {MOST_FAULTS} at most.");
        Self { faults, ..Self::new(Kind::Validation, detail) }
    }

    /// Adds a header field. A value that is not valid in a header is omitted.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        self.headers.extend(HeaderValue::from_str(value.as_ref()).ok().map(|value| (name, value)));
        self
    }

    /// Combines two results of parsing one request: both values, or the faults of both.
    pub fn both<A, B>(first: Result<A, Self>, second: Result<B, Self>) -> Result<(A, B), Self> {
        match (first, second) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (Err(mut first), Err(second))
                if first.kind == Kind::Validation && second.kind == Kind::Validation =>
            {
                first.faults.extend(second.faults);
                Err(first)
            }
            // A problem of another kind takes precedence over validation faults.
            (Err(first), Err(second)) if first.kind == Kind::Validation => Err(second),
            (Err(first), _) => Err(first),
            (_, Err(second)) => Err(second),
        }
    }

    /// The response, of media type `application/problem+json`.
    pub fn into_response(self, request_id: &str) -> Response {
        let (status, _, title) = self.kind.describe();
        let mut body = json!({
            "type": self.kind.uri(),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
            "instance": request_id,
        });
        if !self.faults.is_empty() {
            body["errors"] = self.faults.iter().take(MOST_FAULTS).map(describe).collect();
        }
        for (name, value) in self.members {
            body[name] = value;
        }
        let mut response = response::text(status, "application/problem+json", body.to_string());
        response.headers.extend(self.headers);
        response
    }
}

fn describe(fault: &Fault) -> Value {
    match &fault.location {
        FaultLocation::Body(pointer) => json!({"pointer": pointer, "detail": fault.detail}),
        FaultLocation::Parameter(name) => json!({"parameter": name, "detail": fault.detail}),
        FaultLocation::Header(name) => json!({"header": name, "detail": fault.detail}),
    }
}

/// The only mapping from domain errors to HTTP problems.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::invalid(faults),
            Error::Unauthenticated { detail } => {
                Self::new(Kind::Unauthenticated, detail).with_header(header::WWW_AUTHENTICATE, "Bearer")
            }
            Error::RefreshReused => {
                Self::from(Error::Unauthenticated { detail: "The refresh token is not valid." })
            }
            Error::Forbidden { detail } => Self::new(Kind::Forbidden, detail),
            Error::NotFound { what } => Self::new(Kind::NotFound, format!("There is no such {what}.")),
            Error::Conflict { detail } => Self::new(Kind::Conflict, detail),
            Error::StockOutOfBounds { available } => {
                let rule = format!("a change has to leave 0 to {HIGHEST_STOCK}");
                Self::new(Kind::Conflict, format!("There are {available} in stock; {rule}."))
            }
            Error::Stale { current } => {
                let detail = "If-Match does not name the current version: see the ETag of this answer.";
                Self::new(Kind::PreconditionFailed, detail)
                    .with_header(header::ETAG, etag::of_version(current))
            }
            Error::Rejected(reason) => Self::new(Kind::OrderRejected, reason.to_string()),
            Error::KeyReused => {
                Self::new(Kind::IdempotencyMismatch, "The Idempotency-Key was used before with another body.")
            }
            Error::TooMany(statuses) => too_many(&statuses),
            Error::Unavailable { cause } => {
                let problem =
                    Self::new(Kind::Unavailable, "A part of the service does not answer at the moment.")
                        .with_header(header::RETRY_AFTER, RETRY_SECONDS.to_string());
                Self { cause: Some(cause), ..problem }
            }
            Error::Internal { cause } => {
                Self { cause: Some(cause), ..Self::new(Kind::Internal, "Something went wrong on our side.") }
            }
        }
    }
}

/// 429 with the headers of draft-ietf-httpapi-ratelimit-headers-10.
fn too_many(statuses: &[LimitStatus]) -> Problem {
    let wait = statuses.iter().filter(|status| !status.allowed).map(|status| status.reset_seconds).max();
    let wait = wait.unwrap_or(RETRY_SECONDS);
    let left = statuses
        .iter()
        .map(|status| format!("\"{}\";r={};t={}", status.limit.name, status.remaining, status.reset_seconds));
    let policy = statuses.iter().map(|LimitStatus { limit, .. }| {
        format!("\"{}\";q={};w={}", limit.name, limit.quota, limit.window_seconds)
    });
    Problem::new(Kind::TooManyRequests, format!("Too many requests; try again in {wait} seconds."))
        .with_header(header::RETRY_AFTER, wait.to_string())
        .with_header(RATE_LIMIT, left.collect::<Vec<_>>().join(", "))
        .with_header(RATE_LIMIT_POLICY, policy.collect::<Vec<_>>().join(", "))
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, limit::Limit};

    fn header<'a>(problem: &'a Problem, name: &str) -> &'a str {
        let found = problem.headers.iter().find(|(header, _)| header.as_str() == name);
        found.map_or("", |(_, value)| value.to_str().unwrap())
    }

    #[test]
    fn the_cause_is_not_in_the_response() {
        let response = Problem::from(Error::internal("secret")).into_response("r1");
        assert!(!response.body.as_text().contains("secret"));
        assert!(response.body.as_text().contains(r#""instance":"r1""#));
    }

    #[test]
    fn a_stale_version_is_answered_with_the_current_etag() {
        assert_eq!(header(&Problem::from(Error::Stale { current: 7 }), "etag"), "\"7\"");
    }

    #[test]
    fn an_exceeded_limit_has_retry_after_and_rate_limit_headers() {
        let now = Timestamp::from_unix_milliseconds(10_000);
        let email = Limit { name: "email", quota: 1, window_seconds: 60 };
        let source = Limit { name: "source", quota: 9, window_seconds: 900 };
        let problem = Problem::from(Error::TooMany(vec![email.status(2, now), source.status(2, now)]));
        assert_eq!(header(&problem, "retry-after"), "50");
        assert_eq!(header(&problem, "ratelimit"), r#""email";r=0;t=50, "source";r=7;t=890"#);
        assert_eq!(header(&problem, "ratelimit-policy"), r#""email";q=1;w=60, "source";q=9;w=900"#);
    }

    #[test]
    fn a_problem_names_100_faults_at_most() {
        let faults = |count| (0..count).map(|index: usize| Fault::here("is wrong").under(&index.to_string()));
        let parts = [60, 60].map(|count| Err::<(), _>(Problem::invalid(faults(count).collect())));
        let [first, second] = parts;
        let response = Problem::both(first, second).unwrap_err().into_response("r");
        assert_eq!(response.body.as_text().matches("is wrong").count(), MOST_FAULTS);
    }

    #[test]
    fn faults_of_body_and_header_are_reported_together() {
        let body: Result<(), _> = Err(Problem::invalid(vec![Fault::here("is wrong").under("a")]));
        let header: Result<(), _> = Err(Problem::invalid(vec![Fault::header("If-Match", "is wrong")]));
        let response = Problem::both(body, header).unwrap_err().into_response("r");
        let problem = response.body.as_text();
        assert!(
            problem.contains(r#""pointer":"/a""#) && problem.contains(r#""header":"If-Match""#),
            "{problem}"
        );
    }
}
