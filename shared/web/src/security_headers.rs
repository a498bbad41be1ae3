//! What every answer of a function has in common: the header fields that browsers and caches have to obey, and no body for
//! `HEAD`.

use crate::response::{Body, Response};
use http::{HeaderName, HeaderValue, Method, header};

/// The header fields of every answer.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    // A browser takes the answer for what its Content-Type says.
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // A browser uses https for two years (RFC 6797).
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains")),
];

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl Response {
    /// The answer to a request with this method. Only an answer that a function declares cacheable, and a successful read
    /// of a public route, may be stored by anybody.
    #[must_use]
    pub fn completed(mut self, method: &Method, is_public: bool) -> Self {
        self.headers.extend(ALWAYS);
        let is_read = method == Method::GET || method == Method::HEAD;
        let may_be_stored =
            is_public && is_read && !self.status.is_client_error() && !self.status.is_server_error();
        if !may_be_stored && !self.headers.contains_key(header::CACHE_CONTROL) {
            self.headers.insert(header::CACHE_CONTROL, NO_STORE);
        }
        if method == Method::HEAD {
            self.body = Body::Text(String::new());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Problem, problem::Kind, respond};

    fn cache_control(response: Response, method: &Method, is_public: bool) -> Option<String> {
        let headers = response.completed(method, is_public).headers;
        headers.get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_answer_tells_browsers_not_to_guess_and_to_use_https() {
        for response in [respond::no_content(), Problem::new(Kind::NotFound, "").into_response("r")] {
            let headers = response.completed(&Method::GET, true).headers;
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["strict-transport-security"], "max-age=63072000; includeSubDomains");
        }
    }

    #[test]
    fn only_a_successful_read_of_a_public_route_may_be_stored() {
        let ok = || respond::ok(&7).unwrap();
        assert_eq!(cache_control(ok(), &Method::GET, true), None);
        assert_eq!(cache_control(ok(), &Method::HEAD, true), None);
        let no_store = Some("no-store".to_owned());
        assert_eq!(cache_control(ok(), &Method::GET, false), no_store);
        assert_eq!(cache_control(ok(), &Method::POST, true), no_store);
        for kind in [Kind::NotFound, Kind::Unavailable] {
            let problem = Problem::new(kind, "").into_response("r");
            assert_eq!(cache_control(problem, &Method::GET, true), no_store);
        }
    }

    #[test]
    fn an_answer_that_says_how_it_may_be_stored_is_left_alone() {
        let answer = || respond::ok(&7).unwrap().with(header::CACHE_CONTROL, "private");
        assert_eq!(cache_control(answer(), &Method::GET, false).as_deref(), Some("private"));
        assert_eq!(cache_control(answer(), &Method::POST, true).as_deref(), Some("private"));
    }

    #[test]
    fn head_has_the_headers_of_get_and_no_body() {
        let answer = || respond::ok(&7).unwrap().etag(3);
        let (get, head) = (answer().completed(&Method::GET, true), answer().completed(&Method::HEAD, true));
        assert_eq!((head.status, &head.headers), (get.status, &get.headers));
        assert!(head.body.is_empty() && !get.body.is_empty());
    }
}
