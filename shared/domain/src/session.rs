//! Sessions and refresh tokens.
//!
//! A refresh token names its session and contains a secret. Each refresh replaces the secret (token rotation). A second
//! use of a token means that it was copied, so the whole session ends (reuse detection).

use crate::{
    Error, Fault, Input, Timestamp,
    id::{SessionId, UserId},
    input::Members,
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

/// The body of a refresh request. A text that does not decode is `None`, not a fault: it gets the same answer as an
/// expired token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh(pub Option<RefreshToken>);

impl Input for Refresh {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let token = members.required("refreshToken", |value| {
                let text = text::string(value)?;
                if (1..=512).contains(&text.chars().count()) {
                    Ok(RefreshToken::decode(&text))
                } else {
                    Err(vec![Fault::here("must have 1 to 512 characters")])
                }
            });
            members.finish(|| Some(Self(token?)))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// A session as it is stored, with the hash of its only valid refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// SHA-256 of the secret in the valid refresh token.
    pub secret_hash: [u8; 32],
    /// The end of the session if it is not refreshed.
    pub expires_at: Timestamp,
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
    /// For the next refresh; valid for one use.
    pub refresh_token: String,
    /// Seconds until the refresh token expires.
    pub refresh_expires_in: u64,
}

impl Tokens {
    /// Both tokens with their lifetimes.
    pub fn new(access_token: String, refresh: &RefreshToken) -> Self {
        Self {
            access_token,
            token_type: "Bearer",
            expires_in: ACCESS_SECONDS,
            refresh_token: refresh.encode(),
            refresh_expires_in: REFRESH_SECONDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

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

    #[test]
    fn texts_of_another_form_do_not_decode() {
        for text in ["", "x", "a.b.c", &"A".repeat(85), &"A".repeat(87)] {
            assert_eq!(RefreshToken::decode(text), None, "{text}");
        }
    }
}
