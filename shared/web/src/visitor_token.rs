//! Tokens of visitors: the visitor's id, which everybody may read, and an HMAC, which shows that we made the id up.
//!
//! The hash that assigns visitors to variants is public. Somebody who could choose their own id would try ids until one has
//! the lowest price.

use crate::{request::Request, response::Response};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::VisitorUuid;
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;

/// The header field with the token.
pub const SOUK_VISITOR: HeaderName = HeaderName::from_static("souk-visitor");

/// The name of the cookie with the token. With this prefix, browsers take it from this very host alone.
const COOKIE: &str = "__Host-souk_visitor";

/// Sent to this host over TLS, and not with requests that other sites cause, but for links to it.
const ATTRIBUTES: &str = "Max-Age=31536000; Path=/; HttpOnly; Secure; SameSite=Lax";

/// Separates these HMACs from any others with the same key.
const PURPOSE: &[u8] = b"souk visitor\0";

/// A visitor's id and the token that carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedVisitor {
    /// The id, which is what is hashed: the attribute `id` of GrowthBook's SDKs.
    pub visitor_id: VisitorUuid,
    /// The id with its HMAC, for the header `Souk-Visitor`.
    pub token: String,
}

/// The keys of visitors' tokens: the first signs, all verify.
#[derive(Debug)]
pub struct VisitorKeys(Vec<hmac::Key>);

impl VisitorKeys {
    /// The keys of these texts, each with at least 256 bits of entropy, the current one first.
    pub fn from_secrets<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self(secrets.into_iter().map(key).collect())
    }

    /// The token of a visitor; `None` without a key.
    pub fn sign(&self, visitor_id: VisitorUuid) -> Option<SignedVisitor> {
        let mac = hmac::sign(self.0.first()?, &signed_text(visitor_id));
        Some(SignedVisitor { visitor_id, token: format!("{visitor_id}.{}", URL_SAFE_NO_PAD.encode(mac)) })
    }

    /// The visitor of a token; `None` for a token that none of the keys has signed.
    pub fn verify(&self, token: &str) -> Option<VisitorUuid> {
        let (id, mac) = token.split_once('.')?;
        let (id, mac) = (id.parse().ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
        let text = signed_text(id);
        self.0.iter().any(|key| hmac::verify(key, &text, &mac).is_ok()).then_some(id)
    }
}

fn signed_text(visitor: VisitorUuid) -> Vec<u8> {
    [PURPOSE, visitor.as_bytes()].concat()
}

/// The token that a request shows, in the header or else in the cookie. Nothing of it is verified. Two values are none,
/// because another host may have set a second cookie.
pub fn shown(request: &Request) -> Option<&str> {
    let mut fields = request.headers.get_all(SOUK_VISITOR).iter().peekable();
    if fields.peek().is_some() {
        return only(fields.filter_map(|value| value.to_str().ok().map(str::trim)));
    }
    only(request.cookies(COOKIE))
}

fn only<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = values.next()?;
    if values.next().is_some() { None } else { Some(first) }
}

/// The response, which also puts the token into the cookie.
#[must_use]
pub fn remembered(mut response: Response, visitor: &SignedVisitor) -> Response {
    // The response may set another cookie too.
    if let Ok(cookie) = HeaderValue::from_str(&format!("{COOKIE}={}; {ATTRIBUTES}", visitor.token)) {
        response.headers.append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond;
    use domain::{Timestamp, id::Id};
    use http::Method;

    const SECRET: &str = "a text of a secret with more than forty-three characters";

    fn visitor(byte: u8) -> VisitorUuid {
        VisitorUuid::new(Timestamp::from_unix_milliseconds(1), [0xa0 | byte; 10])
    }

    fn keys() -> VisitorKeys {
        VisitorKeys::from_secrets([SECRET])
    }

    fn token() -> String {
        keys().sign(visitor(1)).unwrap().token
    }

    fn request(fields: &[(HeaderName, &str)]) -> Request {
        Request::of_test(Method::GET, "/products", fields)
    }

    #[test]
    fn a_token_names_its_visitor_and_no_other() {
        assert_eq!(keys().verify(&token()), Some(visitor(1)));
        let (id, mac) = token().split_once('.').map(|(id, mac)| (id.to_owned(), mac.to_owned())).unwrap();
        let others = [
            format!("{}.{mac}", visitor(2)),
            format!("{id}.{}", &mac[1..]),
            format!("{id}.{mac}="),
            format!("{}.{mac}", id.to_uppercase()),
            format!("{id}{mac}"),
            id.clone(),
            format!("{id}."),
            String::new(),
        ];
        for other in others {
            assert_eq!(keys().verify(&other), None, "{other}");
        }
    }

    #[test]
    fn every_bit_of_the_hmac_counts() {
        let (id, mac) = token().split_once('.').map(|(id, mac)| (id.to_owned(), mac.to_owned())).unwrap();
        let mac = URL_SAFE_NO_PAD.decode(mac).unwrap();
        for bit in 0..mac.len() * 8 {
            let mut changed = mac.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let token = format!("{id}.{}", URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(keys().verify(&token), None, "{bit}");
        }
    }

    #[test]
    fn the_secret_before_verifies_and_does_not_sign() {
        let rotated =
            VisitorKeys::from_secrets(["the next text, which is long enough as well, really", SECRET]);
        assert_eq!(rotated.verify(&token()), Some(visitor(1)));
        let new = rotated.sign(visitor(1)).unwrap().token;
        assert_ne!(new, token());
        assert_eq!((rotated.verify(&new), keys().verify(&new)), (Some(visitor(1)), None));
        assert_eq!(VisitorKeys::from_secrets([]).sign(visitor(1)), None);
    }

    #[test]
    fn the_header_comes_before_the_cookie_and_two_values_are_none() {
        let cookie = format!("a=b; {COOKIE}=c");
        let (header_value, cookie) = ((SOUK_VISITOR, "h"), (header::COOKIE, cookie.as_str()));
        assert_eq!(shown(&request(&[header_value.clone(), cookie.clone()])), Some("h"));
        assert_eq!(shown(&request(std::slice::from_ref(&cookie))), Some("c"));
        assert_eq!(shown(&request(&[])), None);
        assert_eq!(shown(&request(&[cookie.clone(), cookie.clone()])), None);
        assert_eq!(shown(&request(&[header_value.clone(), header_value, cookie])), None);
    }

    #[test]
    fn a_cookie_has_the_token() {
        let response = remembered(respond::no_content(), &keys().sign(visitor(1)).unwrap());
        let expected = format!(
            "__Host-souk_visitor={}; Max-Age=31536000; Path=/; HttpOnly; Secure; SameSite=Lax",
            token()
        );
        assert_eq!(response.headers[header::SET_COOKIE], expected);
        let (pair, _) = expected.split_once(';').unwrap();
        assert_eq!(shown(&request(&[(header::COOKIE, pair)])), Some(token().as_str()));
    }
}
