//! Responses.

use crate::{Problem, etag, problem::Kind, request::Request};
use domain::idempotency::Answer;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// A response with a text for a body.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: String,
}

/// Set on a response that was first given to an earlier request with the same idempotency key.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Says which preference of the client was honoured (RFC 7240, section 3).
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A response with a text of this media type.
pub fn text(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Response { status, headers, body }
}

/// 200 with JSON.
pub fn ok(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::OK, value)
}

/// 201 with JSON.
pub fn created(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::CREATED, value)
}

/// 200 with a page of a list: its items and, when there are more, a cursor and a link (RFC 8288) to the next page.
/// `link_to` makes the next page's address from its cursor.
pub fn page<T: Serialize>(
    items: &[T],
    next_cursor: Option<&str>,
    link_to: impl FnOnce(&str) -> String,
) -> Result<Response, Problem> {
    let response = ok(&Items { items, next_cursor })?;
    Ok(match next_cursor {
        Some(cursor) => response.with(header::LINK, format!("<{}>; rel=\"next\"", link_to(cursor))),
        None => response,
    })
}

/// Items of a list, and where the rest begins.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Items<'a, T> {
    /// The items.
    pub items: &'a [T],
    /// Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<&'a str>,
}

/// 202 with JSON: the work goes on.
pub fn accepted(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::ACCEPTED, value)
}

/// 204.
pub fn no_content() -> Response {
    Response { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: String::new() }
}

/// The answer to an earlier request, given again.
pub fn replayed(answer: Answer) -> Result<Response, Problem> {
    let internal = |what: &str| Problem {
        cause: Some(format!("a stored answer has a bad {what}")),
        ..Problem::new(Kind::Internal, "Something went wrong on our side.")
    };
    let status = StatusCode::from_u16(answer.status).map_err(|_| internal("status"))?;
    let mut response = text(status, "application/json", answer.body);
    for (name, value) in answer.headers {
        let name = name.parse::<HeaderName>().map_err(|_| internal("header"))?;
        response.headers.insert(name, value.parse().map_err(|_| internal("header"))?);
    }
    response.headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    match serde_json::to_string(value) {
        Ok(body) => Ok(text(status, "application/json", body)),
        Err(error) => Err(domain::Error::internal(format!("a response does not serialize: {error}")).into()),
    }
}

impl Response {
    /// The same with one more header field; a value that cannot be sent is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same with the tag of a version.
    #[must_use]
    pub fn etag(self, version: domain::Version) -> Self {
        self.with(header::ETAG, etag::of_version(version))
    }

    /// 304 in its place when the client has this very representation already.
    pub fn unless_known_to(self, request: &Request) -> Result<Self, Problem> {
        let Some(known) = request.if_none_match()? else { return Ok(self) };
        let Some(tag) = self.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else {
            return Ok(self);
        };
        if known.matches_weakly(tag) {
            let not_modified =
                Self { status: StatusCode::NOT_MODIFIED, body: String::new(), headers: HeaderMap::new() };
            Ok(not_modified.with(header::ETAG, tag))
        } else {
            Ok(self)
        }
    }

    /// What has to be kept to give this response again.
    pub fn to_answer(&self) -> Answer {
        let header = |name: HeaderName| {
            let value = self.headers.get(&name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        };
        Answer {
            status: self.status.as_u16(),
            headers: [header::ETAG, header::LOCATION].into_iter().filter_map(header).collect(),
            body: self.body.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_answer_is_given_again_as_it_was() {
        let first = created(&7).unwrap().etag(3).with(header::LOCATION, "/products/x");
        let again = replayed(first.to_answer()).unwrap();
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        for name in [header::ETAG, header::LOCATION, header::CONTENT_TYPE] {
            assert_eq!(again.headers.get(&name), first.headers.get(&name));
        }
        assert_eq!(again.headers["idempotency-replayed"], "true");
    }
}
