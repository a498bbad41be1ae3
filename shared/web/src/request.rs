//! HTTP requests and their parsing.

use crate::{
    etag::Tags,
    json::{self, Document},
    paths::{self, PathItem},
    problem::{Kind, Problem},
    query::Query,
    token::Verified,
};
use aws_lc_rs::digest;
use domain::{
    Error, Fault, FaultLocation, Input, Timestamp, client_key,
    id::{Id, UserId},
    idempotency::{Idempotency, IdempotencyKey},
    input::DEEPEST,
    observation::ItemId,
    user::Caller,
    version::Seen,
};
use http::{HeaderMap, HeaderName, Method, header};
use std::{collections::HashMap, str::FromStr};

/// The maximum size of a body, in bytes.
pub const LARGEST_BODY: usize = 256 * 1024;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const IF_MATCH: &str = "If-Match";
const IF_NONE_MATCH: &str = "If-None-Match";

/// A request from API Gateway.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, not decoded.
    pub path: String,
    /// The decoded values of the path parameters.
    pub path_parameters: HashMap<String, String>,
    /// The query without `?`, not decoded.
    pub query: String,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The IP address of the client.
    pub source: String,
    /// The request id in logs and problems.
    pub id: String,
    /// The time at which API Gateway received the request.
    pub received_at: Timestamp,
    /// The content of its access token, if the route requires one.
    pub verified: Option<Verified>,
}

impl Request {
    /// The authenticated user. The expiration of the token is checked here as well, because API Gateway may cache the
    /// authorizer's result (the template's parameter `AuthorizerCacheSeconds`).
    pub fn caller(&self) -> Result<Caller, Problem> {
        let good = self.verified.filter(|verified| verified.expires_at > self.received_at.unix_seconds());
        good.map(|verified| verified.caller)
            .ok_or_else(|| Error::Unauthenticated { detail: "The access token has expired." }.into())
    }

    /// An id in the path. A malformed id is `NotFound`, without a read of the table, unless it is a word of another path,
    /// which does not have the method: the gateway sends `DELETE /sessions/refresh` to `DELETE /sessions/{sessionId}`.
    pub fn path<T: Id>(&self, name: &str) -> Result<T, Problem> {
        self.path_parameter(name, T::WHAT)
    }

    /// The id of a watched item in the path.
    pub fn path_item(&self) -> Result<ItemId, Problem> {
        self.path_parameter("itemId", "item")
    }

    /// The client key in the path: its seller and its random part.
    pub fn path_client_key(&self) -> Result<(UserId, &str), Problem> {
        let text = self.path_parameters.get("clientKey").map_or("", String::as_str);
        client_key::parse(text).ok_or_else(|| Error::NotFound { what: "client key" }.into())
    }

    fn path_parameter<T: FromStr>(&self, name: &str, what: &'static str) -> Result<T, Problem> {
        let text = self.path_parameters.get(name).map_or("", String::as_str);
        text.parse().map_err(|_| {
            let other = paths::find(&self.path).filter(|item| !item.methods.contains(&self.method.as_str()));
            other.map_or_else(|| Error::NotFound { what }.into(), PathItem::refusal)
        })
    }

    /// The query parameters.
    pub fn query(&self) -> Query {
        Query::parse(&self.query)
    }

    /// Parses a body with the media type `application/json`.
    pub fn json<T: Input>(&self) -> Result<T, Problem> {
        self.body_of(&["application/json"])
    }

    /// As [`Request::json`], but a request without a body is an empty object.
    pub fn optional_json<T: Input>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::from_json(serde_json::json!({}))?) } else { self.json() }
    }

    /// Parses a body with the media type of a JSON Merge Patch (RFC 7396), or `application/json`.
    pub fn merge_patch<T: Input>(&self) -> Result<T, Problem> {
        self.body_of(&["application/merge-patch+json", "application/json"])
    }

    fn body_of<T: Input>(&self, media_types: &[&str]) -> Result<T, Problem> {
        let Document { value, mut faults } = self.document(media_types, T::DEEPEST)?;
        faults.retain(|fault| !matches!(&fault.location, FaultLocation::Body(at) if T::drops(at)));
        let whole = if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) };
        let (read, ()) = Problem::both(T::from_json(value).map_err(Problem::from), whole)?;
        Ok(read)
    }

    fn document(&self, media_types: &[&str], deepest: usize) -> Result<Document, Problem> {
        if self.body.len() > LARGEST_BODY {
            let detail = format!("A body has at most {LARGEST_BODY} bytes.");
            return Err(Problem::new(Kind::PayloadTooLarge, detail));
        }
        if !is_declared_as(self.header(&header::CONTENT_TYPE).unwrap_or_default(), media_types) {
            let detail = format!("The Content-Type has to be {}, in UTF-8.", media_types.join(" or "));
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        json::parse(&self.body, deepest).map_err(|error| {
            let fault = if error.is_data() { "nests too deep" } else { "is not JSON" };
            let detail = format!("The body {fault}: line {}, column {}.", error.line(), error.column());
            Problem::new(Kind::MalformedRequest, detail)
        })
    }

    /// The versions in `If-Match`. 428 if the header is missing.
    pub fn if_match(&self) -> Result<Seen, Problem> {
        if let Some(tags) = self.tags(header::IF_MATCH, IF_MATCH)? {
            return Ok(tags.versions());
        }
        let detail = "If-Match is required: send the ETag of the version that you have read.";
        Err(Problem::new(Kind::PreconditionRequired, detail))
    }

    /// The entity tags in `If-None-Match`: the representations that the client has stored.
    pub fn if_none_match(&self) -> Result<Option<Tags>, Problem> {
        self.tags(header::IF_NONE_MATCH, IF_NONE_MATCH)
    }

    fn tags(&self, header: HeaderName, name: &'static str) -> Result<Option<Tags>, Problem> {
        let Some(value) = self.headers.get(header) else { return Ok(None) };
        // A value that is not visible ASCII becomes empty, which is not a list of tags.
        let tags = Tags::parse(name, value.to_str().unwrap_or_default());
        tags.map(Some).map_err(|fault| Problem::invalid(vec![fault]))
    }

    /// Whether the response must not come from a cache: `Cache-Control: no-cache` (RFC 9111, section 5.2.1.4).
    pub fn wants_fresh(&self) -> bool {
        let value = self.header(&header::CACHE_CONTROL).unwrap_or_default();
        value.split(',').any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
    }

    /// The idempotency key, with a hash of the body; `None` without the header.
    pub fn idempotency(&self) -> Result<Option<Idempotency>, Problem> {
        let Some(value) = self.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
        let key = IdempotencyKey::parse(value.to_str().unwrap_or_default())?;
        let digest = digest::digest(&digest::SHA256, &self.canonical_body());
        let fingerprint =
            digest.as_ref().try_into().map_err(|_| Error::internal("SHA-256 that is not 32 bytes"))?;
        Ok(Some(Idempotency { key, fingerprint }))
    }

    /// The idempotency key, with a hash of the body; a fault without the header.
    pub fn required_idempotency(&self) -> Result<Idempotency, Problem> {
        self.idempotency()?
            .ok_or_else(|| Error::invalid(Fault::header(IDEMPOTENCY_KEY, "is required")).into())
    }

    /// The number of seconds that the client prefers to wait for the result: `Prefer: wait=N` (RFC 7240), 1 to 10.
    /// Other preferences are ignored.
    pub fn wait_seconds(&self) -> Option<u64> {
        let preferences = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let wait = |preference: &str| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            let seconds = value.trim().trim_matches('"').parse().ok();
            seconds.filter(|seconds| name.trim().eq_ignore_ascii_case("wait") && (1..=10).contains(seconds))
        };
        preferences.flat_map(|value| value.split(',')).find_map(wait)
    }

    /// The body in canonical JSON: members sorted by name, no white space.
    fn canonical_body(&self) -> Vec<u8> {
        match json::parse(&self.body, DEEPEST) {
            Ok(Document { value, faults }) if faults.is_empty() => value.to_string().into_bytes(),
            _ => self.body.clone(),
        }
    }

    /// The client's network, for rate limits. An IPv6 /64 network is one source, because its user controls all of its
    /// addresses.
    pub fn source_network(&self) -> String {
        match self.source.parse::<std::net::Ipv6Addr>() {
            Ok(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Err(_) => self.source.clone(),
        }
    }

    /// The values of the cookies of this name.
    pub fn cookies<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = fields.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// A header field whose value is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Whether `Content-Type` is one of these media types, in UTF-8.
fn is_declared_as(content_type: &str, media_types: &[&str]) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_utf8 = |parameter: &str| {
        parameter.split_once('=').is_none_or(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    };
    media_types.iter().any(|wanted| wanted.eq_ignore_ascii_case(media_type)) && parts.all(is_utf8)
}

#[cfg(test)]
impl Request {
    /// A request for unit tests, without a body.
    pub(crate) fn of_test(method: Method, path: &str, fields: &[(HeaderName, &str)]) -> Self {
        let field = |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().unwrap());
        Self {
            method,
            path: path.to_owned(),
            path_parameters: HashMap::new(),
            query: String::new(),
            headers: fields.iter().map(field).collect(),
            body: Vec::new(),
            source: "192.0.2.1".to_owned(),
            id: "r".to_owned(),
            received_at: Timestamp::from_unix_milliseconds(1_000_000),
            verified: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{event_batch::EventUpload, product::NewProduct, user::Credentials};
    use http::StatusCode;

    fn request(content_type: &str, body: &str) -> Request {
        let fields = [(header::CONTENT_TYPE, content_type)];
        Request { body: body.into(), ..Request::of_test(Method::POST, "/x", &fields) }
    }

    fn status<T>(result: Result<T, Problem>) -> Option<StatusCode> {
        result.err().map(|problem| problem.kind.describe().0)
    }

    #[test]
    fn malformed_large_and_undeclared_bodies_are_refused() {
        let large = format!("\"{}\"", "x".repeat(LARGEST_BODY));
        let cases = [
            ("application/json", "{", 400),
            ("application/json", "", 400),
            ("application/json", "\u{feff}{}", 400),
            ("text/plain", "{}", 415),
            ("application/json; charset=latin1", "{}", 415),
            ("application/x+json", "{}", 415),
            ("application/json", large.as_str(), 413),
            ("text/plain", large.as_str(), 413),
        ];
        for (content_type, body, expected) in cases {
            let read = request(content_type, body).json::<Credentials>();
            assert_eq!(
                status(read).map(|status| status.as_u16()),
                Some(expected),
                "{content_type} {body:.9}"
            );
        }
    }

    #[test]
    fn a_deeply_nested_body_is_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(
            status(request("application/json", &deep).json::<Credentials>()),
            Some(StatusCode::BAD_REQUEST)
        );
    }

    #[test]
    fn what_clients_of_segment_send_besides_is_dropped_whatever_it_is() {
        let read = |event: &str| {
            let body = format!(
                r#"{{"batch": [{{"type": "track", "event": "E", "anonymousId": "v", "timestamp": "2026-01-05T00:00:00Z", {event}}}]}}"#
            );
            status(request("application/json", &body).json::<EventUpload>())
        };
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        for dropped in [
            format!(r#""context": {}"#, nested(20)),
            format!(r#""context": {{"{}": 1}}"#, "n".repeat(65)),
            r#""context": {"ip": 1, "ip": 2}"#.to_owned(),
        ] {
            assert_eq!(read(&dropped), None, "{dropped}");
        }
        for refused in [
            format!(r#""context": {}"#, nested(40)),
            format!(r#""properties": {}"#, nested(20)),
            format!(r#""properties": {{"{}": 1}}"#, "n".repeat(65)),
            r#""properties": {"a": 1, "a": 2}"#.to_owned(),
            r#""event": "F""#.to_owned(),
        ] {
            assert_eq!(read(&refused), Some(StatusCode::BAD_REQUEST), "{refused}");
        }
    }

    #[test]
    fn repeated_members_are_reported_with_all_other_faults() {
        let body = r#"{"email": "a", "email": "b", "password": "x"}"#;
        let problem = request("application/json", body).json::<Credentials>().unwrap_err();
        let expected = ["must be an e-mail address, as in name@example.com", "must be given once"];
        assert_eq!(problem.faults, expected.map(|detail| Fault::here(detail).under("email")));
    }

    #[test]
    fn a_repeated_member_is_refused_although_its_values_are_valid() {
        let body = r#"{"email": "a@b.co", "password": "x", "password": "y"}"#;
        let problem = request("application/json", body).json::<Credentials>().unwrap_err();
        assert_eq!(problem.faults, [Fault::here("must be given once").under("password")]);
    }

    #[test]
    fn a_large_body_full_of_faults_gets_a_small_answer() {
        let zeros = format!(r#"{{"lines": [{}0]}}"#, "0,".repeat(131_000));
        let answer = |problem: Problem| problem.into_response("r").body.len();
        let order = request("application/json", &zeros).json::<domain::order_draft::OrderDraft>();
        assert!(answer(order.unwrap_err()) < 1000);
        for separator in ["\\u0001", "~", "x"] {
            let member = |number| format!(r#""{separator}{number}":0"#);
            let members: Vec<String> = (0..20_000).map(member).collect();
            let body = format!("{{{}}}", members.join(","));
            let log_in = request("application/json", &body).json::<Credentials>();
            assert!(answer(log_in.unwrap_err()) < 10_000);
        }
        let long = format!(r#"{{"{}": 0}}"#, "~".repeat(200_000));
        assert!(answer(request("application/json", &long).json::<Credentials>().unwrap_err()) < 1000);
    }

    #[test]
    fn media_types_ignore_case_and_allow_utf_8() {
        let body = r#"{"email": "a@b.co", "password": "x"}"#;
        for content_type in
            ["application/json", "Application/JSON; charset=\"UTF-8\"", "application/json;x=y"]
        {
            assert!(request(content_type, body).json::<Credentials>().is_ok(), "{content_type}");
        }
    }

    #[test]
    fn if_match_is_required_and_read() {
        let mut request = request("application/json", "{}");
        assert_eq!(status(request.if_match()), Some(StatusCode::PRECONDITION_REQUIRED));
        request.headers.insert(header::IF_MATCH, "7".parse().unwrap());
        assert_eq!(status(request.if_match()), Some(StatusCode::BAD_REQUEST));
        request.headers.insert(header::IF_MATCH, "\"7\"".parse().unwrap());
        assert_eq!(request.if_match().unwrap(), Seen::Versions(vec![7]));
    }

    #[test]
    fn the_fingerprint_ignores_white_space_and_order_of_members() {
        let idempotency = |body: &str| {
            let mut request = request("application/json", body);
            request.headers.insert("idempotency-key", "k".parse().unwrap());
            request.idempotency().unwrap().unwrap().fingerprint
        };
        assert_eq!(idempotency(r#"{"a":1,"b":[2]}"#), idempotency(r#" { "b" : [ 2 ], "a" : 1 }"#));
        assert_ne!(idempotency(r#"{"a":1}"#), idempotency(r#"{"a":2}"#));
    }

    #[test]
    fn a_malformed_idempotency_key_is_a_fault() {
        let mut request = request("application/json", "{}");
        assert_eq!(request.idempotency().unwrap(), None);
        request.headers.insert("idempotency-key", "a b".parse().unwrap());
        assert_eq!(status(request.idempotency()), Some(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_token_that_expired_since_it_was_checked_is_refused() {
        let now = Timestamp::from_unix_milliseconds(1_000_000);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let mut request = request("application/json", "{}");
        assert_eq!(status(request.caller()), Some(StatusCode::UNAUTHORIZED));
        request.verified = Some(Verified { caller, visitor: None, expires_at: 1000 });
        assert_eq!(status(request.caller()), Some(StatusCode::UNAUTHORIZED));
        request.verified = Some(Verified { caller, visitor: None, expires_at: 1001 });
        assert_eq!(request.caller().unwrap(), caller);
    }

    #[test]
    fn prefer_wait_is_read_from_1_to_10_seconds() {
        let mut request = request("application/json", "{}");
        let cases = [
            ("wait=3", Some(3)),
            ("respond-async, Wait = \"10\"; x=y", Some(10)),
            ("wait=0", None),
            ("wait=11", None),
            ("wait=-1", None),
            ("wait", None),
        ];
        for (value, seconds) in cases {
            request.headers.insert("prefer", value.parse().unwrap());
            assert_eq!(request.wait_seconds(), seconds, "{value}");
        }
    }

    #[test]
    fn no_cache_requests_a_fresh_response() {
        let mut request = request("application/json", "{}");
        for (value, fresh) in
            [("no-cache", true), ("max-age=0, No-Cache", true), ("max-age=0", false), ("no-cachet", false)]
        {
            request.headers.insert(header::CACHE_CONTROL, value.parse().unwrap());
            assert_eq!(request.wants_fresh(), fresh, "{value}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let mut request = request("application/json", "{}");
        assert_eq!(request.source_network(), "192.0.2.1");
        request.source = "2001:db8:1:2:3:4:5:6".into();
        assert_eq!(request.source_network(), "2001:db8:1:2::/64");
    }

    #[test]
    fn merge_patch_media_type_is_accepted_for_patches_only() {
        let patch = request("application/merge-patch+json", "{}");
        assert!(patch.merge_patch::<domain::input::MergePatch>().is_ok());
        assert_eq!(status(patch.json::<NewProduct>()), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
