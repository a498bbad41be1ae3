//! Tokens in mails: whoever has one reads the mails of the account's address.
//!
//! A token names its account and contains a secret, of which only the hash is stored. It is good once, and for a while.

use crate::{
    Error, Fault, Input,
    id::UserId,
    input::{Checked, Members},
    password::Password,
    text,
    user::Email,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::fmt;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// Showing that the address belongs to whoever opened the account.
    Verification,
    /// Setting a password without the present one.
    PasswordReset,
}

impl TokenUse {
    /// The lifetime of a token, in seconds.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Verification => 24 * 60 * 60,
            Self::PasswordReset => 30 * 60,
        }
    }
}

/// A token. `Debug` does not print its secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MailToken {
    /// The user whose account it belongs to.
    pub user_id: UserId,
    /// 256 random bits.
    pub secret: [u8; 32],
}

impl MailToken {
    /// The text for the mail: 48 bytes in base64url, 64 characters.
    pub fn encode(&self) -> String {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(self.user_id.as_bytes());
        bytes[16..].copy_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Parses a token; `None` for a text of another form.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 48] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let user: [u8; 16] = bytes[..16].try_into().ok()?;
        Some(Self { user_id: UserId::from_bytes(user), secret: bytes[16..].try_into().ok()? })
    }
}

impl fmt::Debug for MailToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailToken({}, …)", self.user_id)
    }
}

/// The same error for every fault of a token, so that it does not reveal which one.
pub const REFUSED: Error =
    Error::Unauthenticated { detail: "The token was used, is too old, or was never sent." };

const TOKEN: &str = "token";

/// A text that does not decode is `None`, not a fault: it gets the same answer as an expired token.
fn token(value: Value) -> Checked<Option<MailToken>> {
    let text = text::string(value)?;
    if (1..=512).contains(&text.chars().count()) {
        Ok(MailToken::decode(&text))
    } else {
        Err(vec![Fault::here("must have 1 to 512 characters")])
    }
}

/// The body of a request that verifies an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification(pub Option<MailToken>);

impl Input for Verification {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let token = members.required(TOKEN, token);
            members.finish(|| Some(Self(token?)))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// The body of a request for a mail with which the password can be reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetRequest(pub Email);

impl Input for ResetRequest {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let email = members.required("email", Email::from_value);
            members.finish(|| Some(Self(email?)))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// The body of a request that resets a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// The token of the mail.
    pub token: Option<MailToken>,
    /// The new password.
    pub password: Password,
}

impl Input for PasswordReset {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let token = members.required(TOKEN, token);
            let password = members.required("password", Password::for_registration);
            members.finish(|| Some(Self { token: token?, password: password? }))
        };
        read(value).map_err(Error::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, id::Id};
    use serde_json::json;

    #[test]
    fn a_token_round_trips_and_is_not_printed() {
        let user_id = UserId::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
        let token = MailToken { user_id, secret: [0x5a; 32] };
        assert_eq!(token.encode().len(), 64);
        assert_eq!(MailToken::decode(&token.encode()), Some(token));
        assert!(!format!("{token:?}").contains("90"), "{token:?}");
    }

    #[test]
    fn a_text_of_another_form_is_no_token_and_no_fault() {
        for text in ["x", "a.b", &"A".repeat(63), &"A".repeat(65), &"A".repeat(512)] {
            assert_eq!(Verification::from_json(json!({"token": text})), Ok(Verification(None)), "{text}");
        }
        for bad in [json!(""), json!("A".repeat(513)), json!(7), json!(null)] {
            assert!(Verification::from_json(json!({"token": bad})).is_err(), "{bad}");
        }
    }

    #[test]
    fn all_faults_of_a_reset_are_reported_at_once() {
        let read = PasswordReset::from_json(json!({"password": "short", "email": "a@b.co"}));
        assert!(matches!(read, Err(Error::Invalid(faults)) if faults.len() == 3));
    }
}
