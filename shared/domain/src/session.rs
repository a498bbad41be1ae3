//! Sessions and refresh tokens.
//!
//! A refresh token names its session and contains a secret. Each refresh exchanges the secret for the next one (token
//! rotation). A later use of a secret that was exchanged means that it was copied, so the whole session ends (reuse
//! detection).

use crate::{
    Error, Fault, Input, Timestamp,
    id::{SessionId, UserId},
    input::{Checked, Members},
    text,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// The lifetime of an access token, in seconds.
pub const ACCESS_SECONDS: u64 = 15 * 60;

/// The lifetime of an unused refresh token, in seconds.
pub const REFRESH_SECONDS: u64 = 30 * 24 * 60 * 60;

/// The longest life of a session, however often it is refreshed, in seconds.
pub const SESSION_SECONDS: u64 = 90 * 24 * 60 * 60;

/// For how long after an exchange the exchanged secret still gets the same successor, in seconds: for two tabs of a
/// browser that refresh at once, and for a client that did not get the answer.
pub const OVERLAP_SECONDS: u64 = 10;

/// The time after a log-in for which a session suffices where the password is asked for otherwise.
pub const RECENT_SECONDS: u64 = 10 * 60;

/// Whether the log-in that opened a session is recent. Its id has the time; a refresh keeps the id.
pub fn is_recent(session: SessionId, now: Timestamp) -> bool {
    now < session.made_at().plus_seconds(RECENT_SECONDS)
}

/// The maximum number of open sessions of a user. A log-in ends the oldest ones beyond it.
pub const MOST_SESSIONS: usize = 50;

/// The end of a session that is opened or refreshed now and not refreshed again.
pub fn end_of(session: SessionId, now: Timestamp) -> Timestamp {
    now.plus_seconds(REFRESH_SECONDS).min(session.made_at().plus_seconds(SESSION_SECONDS))
}

/// The secret part of a refresh token. `Debug` does not print it, and only its hash is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshSecret(pub [u8; 32]);

impl fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshSecret(…)")
    }
}

/// The content of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The secret of the session.
    pub secret: RefreshSecret,
}

impl RefreshToken {
    /// The text for the client: 64 bytes in base64url.
    pub fn encode(&self) -> String {
        let mut bytes = [0; 64];
        bytes[..16].copy_from_slice(self.user_id.as_bytes());
        bytes[16..32].copy_from_slice(self.session_id.as_bytes());
        bytes[32..].copy_from_slice(&self.secret.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Parses a token; `None` for a text of another form.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 64] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let part = |from: usize| <[u8; 16]>::try_from(&bytes[from..from + 16]).ok();
        Some(Self {
            user_id: UserId::from_bytes(part(0)?),
            session_id: SessionId::from_bytes(part(16)?),
            secret: RefreshSecret(bytes[32..].try_into().ok()?),
        })
    }
}

/// Where a client keeps the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenPlace {
    /// Where it likes: the answer's body has the token.
    #[default]
    Body,
    /// In a cookie of the browser, which no script can read.
    Cookie,
}

impl TokenPlace {
    /// Parses `body` or `cookie`.
    pub fn from_value(value: Value) -> Checked<Self> {
        match text::string(value)?.as_str() {
            "body" => Ok(Self::Body),
            "cookie" => Ok(Self::Cookie),
            _ => Err(vec![Fault::here("must be body or cookie")]),
        }
    }
}

/// The body of a refresh request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// It has a refresh token. A text that does not decode is `None`, not a fault: it gets the same answer as an expired
    /// token.
    Token(Option<RefreshToken>, TokenPlace),
    /// The refresh token is in the cookie, and its successor goes there: a script must not move it to where it can read it.
    Cookie,
}

impl Input for Refresh {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let has_token = members.has("refreshToken");
            let token = members.optional("refreshToken", |value| {
                let text = text::string(value)?;
                if (1..=512).contains(&text.chars().count()) {
                    Ok(RefreshToken::decode(&text))
                } else {
                    Err(vec![Fault::here("must have 1 to 512 characters")])
                }
            });
            let place = members.optional("refreshTokenIn", TokenPlace::from_value).unwrap_or_default();
            members.finish(|| if has_token { Some(Self::Token(token?, place)) } else { Some(Self::Cookie) })
        };
        read(value).map_err(Error::Invalid)
    }
}

/// The longest name of a client that is stored.
const LONGEST_USER_AGENT: usize = 160;

/// What a client calls itself (`User-Agent`), as the user may see it: printable ASCII of bounded length, without double
/// spaces. `None` if nothing is left.
pub fn user_agent(header: &str) -> Option<String> {
    let printable: String = header.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
    let mut text = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    text.truncate(LONGEST_USER_AGENT);
    text.truncate(text.trim_end().len());
    (!text.is_empty()).then_some(text)
}

/// An open session, as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedSession {
    /// The session.
    pub session_id: SessionId,
    /// The time of the log-in.
    pub created_at: Timestamp,
    /// The time of the last refresh, or of the log-in.
    pub last_used_at: Timestamp,
    /// The end of the session if it is not refreshed.
    pub expires_at: Timestamp,
    /// What the client called itself at the log-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether it is the session of the request.
    pub current: bool,
}

/// A session as it is opened, with the hash of its first refresh token's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// SHA-256 of the secret in the valid refresh token.
    pub secret_hash: [u8; 32],
    /// The end of the session if it is not refreshed.
    pub expires_at: Timestamp,
    /// What the client calls itself; see [`user_agent`].
    pub user_agent: Option<String>,
}

/// An attempt to exchange the secret of a refresh token for the next one, with SHA-256 hashes of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// The hash of the secret in the request.
    pub shown: [u8; 32],
    /// The hash of its successor.
    pub next: [u8; 32],
    /// Whether the secret proves that we issued it for this session. A secret that was issued with a key that has been
    /// replaced since does not.
    pub issued: bool,
}

/// The secrets of an open session, as hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secrets {
    /// The secret that can be exchanged.
    pub current: [u8; 32],
    /// The secret that was exchanged for it, and when.
    pub previous: Option<([u8; 32], Timestamp)>,
}

/// What follows from an attempt to exchange a secret that is not the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// The secret was exchanged just now: the current one is given once more.
    Repeated,
    /// The secret was exchanged before, so somebody has a copy of it: the session ends.
    Stolen,
    /// Nothing: we do not know the secret, or an exchange with another key has just overtaken this one.
    Refused,
}

impl Secrets {
    /// Judges an attempt to exchange a secret that is not the current one.
    pub fn judge(&self, exchange: &Exchange, now: Timestamp) -> Late {
        match self.previous {
            Some((previous, at)) if previous == exchange.shown && now < at.plus_seconds(OVERLAP_SECONDS) => {
                if self.current == exchange.next {
                    Late::Repeated
                } else {
                    Late::Refused
                }
            }
            Some((previous, _)) if previous == exchange.shown => Late::Stolen,
            _ if exchange.issued => Late::Stolen,
            _ => Late::Refused,
        }
    }
}

/// The response to a log-in or a refresh.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// For the `Authorization` header.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// For the next refresh; valid for one use. Absent if it is in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Seconds until the refresh token expires.
    pub refresh_expires_in: u64,
}

impl Tokens {
    /// Both tokens with their lifetimes, for a session that ends at this time.
    pub fn new(
        access_token: String,
        refresh: &RefreshToken,
        place: TokenPlace,
        ends_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let left = ends_at.unix_milliseconds().saturating_sub(now.unix_milliseconds()).div_ceil(1000);
        Self {
            access_token,
            token_type: "Bearer",
            expires_in: ACCESS_SECONDS.min(left),
            refresh_token: (place == TokenPlace::Body).then(|| refresh.encode()),
            refresh_expires_in: left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use serde_json::json;

    #[test]
    fn a_refresh_token_round_trips_and_is_not_printed() {
        let now = Timestamp::from_unix_milliseconds(1);
        let token = RefreshToken {
            user_id: UserId::new(now, [1; 10]),
            session_id: SessionId::new(now, [2; 10]),
            secret: RefreshSecret([3; 32]),
        };
        assert_eq!(RefreshToken::decode(&token.encode()), Some(token));
        assert!(!format!("{token:?}").contains('3'.to_string().repeat(3).as_str()));
    }

    fn opened() -> Timestamp {
        Timestamp::from_unix_milliseconds(1_763_659_827_040)
    }

    const DAY: u64 = 24 * 60 * 60;

    #[test]
    fn a_session_slides_for_30_days_and_ends_after_90() {
        let id = SessionId::new(opened(), [1; 10]);
        for (refreshed, ends) in [(0, 30), (1, 31), (60, 90), (61, 90), (89, 90)] {
            let end = end_of(id, opened().plus_seconds(refreshed * DAY));
            assert_eq!(end, opened().plus_seconds(ends * DAY), "{refreshed}");
        }
    }

    #[test]
    fn tokens_do_not_outlive_their_session() {
        let id = SessionId::new(opened(), [1; 10]);
        let refresh = RefreshToken {
            user_id: UserId::new(opened(), [1; 10]),
            session_id: id,
            secret: RefreshSecret([3; 32]),
        };
        for (before_end, access, rest) in [(60 * DAY, 900, 30 * DAY), (100, 100, 100)] {
            let now = opened().plus_seconds(90 * DAY - before_end);
            let tokens = Tokens::new(String::new(), &refresh, TokenPlace::Body, end_of(id, now), now);
            assert_eq!((tokens.expires_in, tokens.refresh_expires_in), (access, rest));
        }
    }

    const FIRST: [u8; 32] = [1; 32];
    const SECOND: [u8; 32] = [2; 32];
    const THIRD: [u8; 32] = [3; 32];
    const FOURTH: [u8; 32] = [4; 32];

    /// The second secret was exchanged for the third; an attempt with this secret and its successor, so many seconds later.
    fn late(shown: [u8; 32], next: [u8; 32], issued: bool, seconds: u64) -> Late {
        let secrets = Secrets { current: THIRD, previous: Some((SECOND, opened())) };
        secrets.judge(&Exchange { shown, next, issued }, opened().plus_seconds(seconds))
    }

    #[test]
    fn an_exchanged_secret_gets_the_same_successor_for_ten_seconds() {
        for issued in [true, false] {
            assert_eq!(late(SECOND, THIRD, issued, 0), Late::Repeated);
            assert_eq!(late(SECOND, THIRD, issued, 9), Late::Repeated);
            assert_eq!(late(SECOND, THIRD, issued, 10), Late::Stolen);
        }
    }

    /// The key that successors are derived with was replaced between the two attempts.
    #[test]
    fn another_successor_of_a_secret_that_was_just_exchanged_is_not_given() {
        assert_eq!(late(SECOND, FOURTH, true, 9), Late::Refused);
        assert_eq!(late(SECOND, FOURTH, true, 10), Late::Stolen);
    }

    #[test]
    fn an_older_secret_of_ours_ends_the_session_and_a_made_up_one_does_nothing() {
        for seconds in [0, 10] {
            assert_eq!(late(FIRST, SECOND, true, seconds), Late::Stolen);
            assert_eq!(late(FIRST, SECOND, false, seconds), Late::Refused);
        }
        let fresh = Secrets { current: FIRST, previous: None };
        let made_up = Exchange { shown: SECOND, next: THIRD, issued: false };
        assert_eq!(fresh.judge(&made_up, opened()), Late::Refused);
    }

    #[test]
    fn a_refresh_without_a_token_is_by_cookie_and_stays_there() {
        for body in [json!({}), json!({"refreshTokenIn": "body"}), json!({"refreshTokenIn": "cookie"})] {
            assert_eq!(Refresh::from_json(body), Ok(Refresh::Cookie));
        }
        let places = [
            (None, TokenPlace::Body),
            (Some("body"), TokenPlace::Body),
            (Some("cookie"), TokenPlace::Cookie),
        ];
        for (name, place) in places {
            let mut body = json!({"refreshToken": "x"});
            if let Some(name) = name {
                body["refreshTokenIn"] = name.into();
            }
            assert_eq!(Refresh::from_json(body), Ok(Refresh::Token(None, place)));
        }
        for body in
            [json!({"refreshToken": ""}), json!({"refreshToken": null}), json!({"refreshTokenIn": "url"})]
        {
            assert!(Refresh::from_json(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_name_of_a_client_is_printable_and_short() {
        let long = "x".repeat(500);
        let cases = [
            ("Mozilla/5.0 (X11; Linux)", Some("Mozilla/5.0 (X11; Linux)")),
            (" curl\t/8 \u{0}\u{1b}[31m \u{202e}é ", Some("curl /8 [31m")),
            ("", None),
            ("\u{202e}", None),
            (long.as_str(), Some(&long[..160])),
        ];
        for (header, expected) in cases {
            assert_eq!(user_agent(header).as_deref(), expected, "{header:?}");
        }
        let cut = format!("{} y", "x".repeat(159));
        assert_eq!(user_agent(&cut).as_deref(), Some("x".repeat(159).as_str()));
    }

    #[test]
    fn texts_of_another_form_do_not_decode() {
        for text in ["", "x", "a.b.c", &"A".repeat(85), &"A".repeat(87)] {
            assert_eq!(RefreshToken::decode(text), None, "{text}");
        }
    }
}
