//! Builders of responses: JSON, pages of lists, replayed responses.

use crate::{
    etag,
    problem::{Kind, Problem},
    request::Request,
    response::{Body, IDEMPOTENCY_REPLAYED, Response, text},
};
use domain::idempotency::StoredResponse;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// The header fields that 304 must have when 200 would have them (RFC 9110, section 15.4.5), as far as we send them,
/// and what lets pages of other origins read it.
const NOT_MODIFIED_KEEPS: [HeaderName; 4] =
    [header::CACHE_CONTROL, header::ETAG, header::VARY, header::ACCESS_CONTROL_ALLOW_ORIGIN];

/// 200 with JSON.
pub fn ok(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::OK, value)
}

/// 201 with JSON.
pub fn created(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::CREATED, value)
}

/// 200 with a page of a list: its items and, if another page may follow, a cursor and a `Link` header (RFC 8288) to it.
/// `link_to` builds the next page's URL from its cursor.
pub fn page<T: Serialize>(
    items: &[T],
    next_cursor: Option<&str>,
    link_to: impl FnOnce(&str) -> String,
) -> Result<Response, Problem> {
    Ok(ok(&Items { items, next_cursor })?.with_next(next_cursor, link_to))
}

/// The JSON of one page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Items<'a, T> {
    /// The items.
    pub items: &'a [T],
    /// The cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<&'a str>,
}

/// 202 with JSON: the work is still in progress.
pub fn accepted(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::ACCEPTED, value)
}

/// 204 without a body.
pub fn no_content() -> Response {
    Response { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::Text(String::new()) }
}

/// A stored response to an earlier request, marked as replayed.
pub fn replayed(answer: StoredResponse) -> Result<Response, Problem> {
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
    /// Adds a `Link` header (RFC 8288) to the next page if there is one. `link_to` builds its URL from its cursor.
    #[must_use]
    pub fn with_next(self, next_cursor: Option<&str>, link_to: impl FnOnce(&str) -> String) -> Self {
        match next_cursor {
            Some(cursor) => self.with(header::LINK, format!("<{}>; rel=\"next\"", link_to(cursor))),
            None => self,
        }
    }

    /// Allows everybody to store the response for this time, and tags its content.
    #[must_use]
    pub fn stored_for(self, seconds: u64) -> Self {
        let tag = etag::of_content(self.body.as_text().as_bytes());
        self.with(header::ETAG, tag).with(header::CACHE_CONTROL, format!("public, max-age={seconds}"))
    }

    /// Replaces the response by 304 if `If-None-Match` of the request names its entity tag.
    pub fn unless_known_to(self, request: &Request) -> Result<Self, Problem> {
        let Some(known) = request.if_none_match()? else { return Ok(self) };
        let Some(tag) = self.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else {
            return Ok(self);
        };
        if known.matches_weakly(tag) {
            let kept = NOT_MODIFIED_KEEPS
                .iter()
                .filter_map(|name| Some((name.clone(), self.headers.get(name)?.clone())));
            let (status, body) = (StatusCode::NOT_MODIFIED, Body::Text(String::new()));
            Ok(Self { status, headers: kept.collect(), body })
        } else {
            Ok(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_response_has_a_tag_of_its_content() {
        let response = |value: u8| ok(&value).unwrap().stored_for(60);
        assert_eq!(response(7).headers[header::CACHE_CONTROL], "public, max-age=60");
        assert_eq!(response(7).headers[header::ETAG], response(7).headers[header::ETAG]);
        assert_ne!(response(7).headers[header::ETAG], response(8).headers[header::ETAG]);
    }

    #[test]
    fn a_stored_response_is_replayed_unchanged() {
        let first = created(&7).unwrap().etag(3).with(header::LOCATION, "/products/x");
        let replay = replayed(first.to_answer()).unwrap();
        assert_eq!((replay.status, &replay.body), (first.status, &first.body));
        for name in [header::ETAG, header::LOCATION, header::CONTENT_TYPE] {
            assert_eq!(replay.headers.get(&name), first.headers.get(&name));
        }
        assert_eq!(replay.headers["idempotency-replayed"], "true");
    }
}
