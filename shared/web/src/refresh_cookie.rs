//! The refresh token in a cookie of a browser, where no script can read it.

use crate::{
    problem::Problem,
    request::Request,
    respond,
    response::Response,
    visitor_token::{self, SignedVisitor},
};
use domain::{
    Error, Timestamp,
    session::{RefreshToken, TokenPlace, Tokens},
};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;

/// The name of the cookie. With this prefix, browsers take it with `Secure` alone.
const NAME: &str = "__Secure-souk_refresh";

/// Sent to paths of sessions alone, over TLS, to this site, and only for requests of this site's pages.
const ATTRIBUTES: &str = "Path=/sessions; HttpOnly; Secure; SameSite=Strict";

/// What a browser says about the page that sends a request. A script cannot set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The tokens of a session, and the visitor of its account.
#[derive(Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    tokens: &'a Tokens,
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor: Option<&'a SignedVisitor>,
}

/// 201 with the tokens of a session that ends at this time, the refresh token in its place. The client gets the visitor of the
/// account, whose prices it has to show from now on: those are what the account pays.
pub fn created(
    access: String,
    refresh: &RefreshToken,
    place: TokenPlace,
    visitor: Option<&SignedVisitor>,
    ends_at: Timestamp,
    now: Timestamp,
) -> Result<Response, Problem> {
    let tokens = Tokens::new(access, refresh, place, ends_at, now);
    let response = respond::created(&Created { tokens: &tokens, visitor })?;
    let response = match place {
        TokenPlace::Body => response,
        TokenPlace::Cookie => set(response, &refresh.encode(), tokens.refresh_expires_in),
    };
    Ok(match visitor {
        Some(visitor) => visitor_token::remembered(response, visitor),
        None => response,
    })
}

/// The token in the cookie. If there are several cookies of the name, another host of the site may have set one, and none
/// is taken.
pub fn shown(request: &Request) -> Option<RefreshToken> {
    let mut values = request.cookies(NAME);
    let first = values.next()?;
    if values.next().is_some() { None } else { RefreshToken::decode(first) }
}

/// The response, which also removes the cookie if its session is one that has `ended`.
pub fn cleared(response: Response, request: &Request, ended: impl Fn(&RefreshToken) -> bool) -> Response {
    if shown(request).is_some_and(|token| ended(&token)) { set(response, "", 0) } else { response }
}

/// Fails unless a browser says that a page of this origin sent the request. Other hosts of the site could send the cookie
/// too, whatever its `SameSite`.
pub fn require_same_origin(request: &Request) -> Result<(), Error> {
    let mut values = request.headers.get_all(SEC_FETCH_SITE).iter();
    match (values.next().map(HeaderValue::as_bytes), values.next()) {
        (Some(b"same-origin"), None) => Ok(()),
        _ => Err(Error::Forbidden {
            detail: "Without a refreshToken in its body, a refresh has to come from a page of this origin.",
        }),
    }
}

fn set(response: Response, value: &str, seconds: u64) -> Response {
    response.with(header::SET_COOKIE, format!("{NAME}={value}; Max-Age={seconds}; {ATTRIBUTES}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        id::{Id, SessionId, UserId},
        session::RefreshSecret,
    };
    use http::Method;

    fn token() -> RefreshToken {
        let at = Timestamp::from_unix_milliseconds(1);
        RefreshToken {
            user_id: UserId::new(at, [1; 10]),
            session_id: SessionId::new(at, [2; 10]),
            secret: RefreshSecret([3; 32]),
        }
    }

    fn request(fields: &[(HeaderName, &str)]) -> Request {
        Request::of_test(Method::POST, "/sessions/refresh", fields)
    }

    fn cookies(value: &str) -> Request {
        request(&[(header::COOKIE, value)])
    }

    #[test]
    fn a_cookie_has_the_token_and_the_body_has_not() {
        let now = Timestamp::from_unix_milliseconds(0);
        let answer =
            |place| created("a".to_owned(), &token(), place, None, now.plus_seconds(60), now).unwrap();
        let cookie = answer(TokenPlace::Cookie);
        let text = token().encode();
        let expected = format!(
            "__Secure-souk_refresh={text}; Max-Age=60; Path=/sessions; HttpOnly; Secure; SameSite=Strict"
        );
        assert_eq!(cookie.headers[header::SET_COOKIE], expected);
        assert!(!cookie.body.as_text().contains(&text), "{}", cookie.body.as_text());
        let body = answer(TokenPlace::Body);
        assert!(!body.headers.contains_key(header::SET_COOKIE) && body.body.as_text().contains(&text));
    }

    #[test]
    fn the_visitor_of_the_account_is_in_the_body_and_in_a_cookie_of_its_own() {
        let now = Timestamp::from_unix_milliseconds(0);
        let visitor = SignedVisitor { visitor_id: Id::new(now, [5; 10]), token: "t".to_owned() };
        let answer =
            created("a".to_owned(), &token(), TokenPlace::Cookie, Some(&visitor), now.plus_seconds(60), now);
        let answer = answer.unwrap();
        let body: serde_json::Value = serde_json::from_str(answer.body.as_text()).unwrap();
        assert_eq!(body["visitor"]["token"], "t");
        assert_eq!(answer.headers.get_all(header::SET_COOKIE).iter().count(), 2);
    }

    #[test]
    fn one_cookie_of_the_name_is_read() {
        let text = token().encode();
        let ours = format!("{NAME}={text}");
        for value in
            [ours.clone(), format!("a=b; {ours}"), format!("{ours};c=d"), format!("x{NAME}=1; {ours}")]
        {
            assert_eq!(shown(&cookies(&value)), Some(token()), "{value}");
        }
        for value in ["", NAME, &format!("{NAME}="), &format!("{NAME}=x"), &format!("souk_refresh={text}")] {
            assert_eq!(shown(&cookies(value)), None, "{value}");
        }
        assert_eq!(shown(&cookies(&format!("{ours}; {NAME}=x"))), None, "two of the name");
        assert_eq!(shown(&request(&[(header::COOKIE, &ours), (header::COOKIE, &ours)])), None);
    }

    #[test]
    fn the_cookie_of_an_ended_session_is_removed_and_no_other() {
        let ours = cookies(&format!("{NAME}={}", token().encode()));
        let removed = cleared(respond::no_content(), &ours, |shown| shown.session_id == token().session_id);
        let expected = "__Secure-souk_refresh=; Max-Age=0; Path=/sessions; HttpOnly; Secure; SameSite=Strict";
        assert_eq!(removed.headers[header::SET_COOKIE], expected);
        let kept = cleared(respond::no_content(), &ours, |_| false);
        let without = cleared(respond::no_content(), &cookies("a=b"), |_| true);
        assert!(kept.headers.is_empty() && without.headers.is_empty());
    }

    #[test]
    fn only_pages_of_this_origin_refresh_by_cookie() {
        assert_eq!(require_same_origin(&request(&[(SEC_FETCH_SITE, "same-origin")])), Ok(()));
        for value in ["same-site", "cross-site", "none", "", "same-origin, cross-site", "SAME-ORIGIN"] {
            assert!(require_same_origin(&request(&[(SEC_FETCH_SITE, value)])).is_err(), "{value}");
        }
        assert!(require_same_origin(&request(&[])).is_err());
        let twice = request(&[(SEC_FETCH_SITE, "same-origin"), (SEC_FETCH_SITE, "cross-site")]);
        assert!(require_same_origin(&twice).is_err());
    }
}
